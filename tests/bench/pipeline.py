#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Decoding and flow tracking without a wire, by workers: pipeline.py --pipeline PROGRAM [--json FILE]

Packets a second of the clock, and of one core's time, over frames of 64 bytes in 1 M flows; the program
itself fails unless it saw every flow. 10 GbE carries 14.88 M such frames a second.
"""
import argparse
import json
import math
import os
import subprocess

LINE = 10e9 / ((64 + 20) * 8)  # frames/s; 20: preamble and gap, IEEE 802.3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="packets of each flow")
    parser.add_argument("--workers", default="1,2,4,8")
    parser.add_argument("--json")
    args = parser.parse_args()
    rows = []
    print(f"{'workers':>7} {'flows':>8} {'M/s':>7} {'M/s a core':>10} {'of 10 GbE':>9} "
          f"{'cores for 100 GbE':>17}")
    for workers in args.workers.split(","):
        done = subprocess.run([args.pipeline, str(args.flows), str(args.rounds), workers],
                              check=True, stdout=subprocess.PIPE)
        row = json.loads(done.stdout)
        row["pps"] = row["packets"] / row["wall"]
        row["pps_a_core"] = row["packets"] / row["cpu"]
        rows.append(row)
        print(f"{row['workers']:7} {row['flows']:8} {row['pps'] / 1e6:7.2f} "
              f"{row['pps_a_core'] / 1e6:10.2f} {row['pps_a_core'] / LINE:9.0%} "
              f"{math.ceil(10 * LINE / row['pps_a_core']):17}", flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"cpus": os.cpu_count(), "kernel": os.uname().release, "runs": rows}, out,
                      indent=1)


if __name__ == "__main__":
    main()
