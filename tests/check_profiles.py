#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every lab scenario with a box has its rule in pcaps/PROFILES, and says only what it may:
check_profiles.py ROOT
"""
import csv
import glob
import os
import sys

COLUMNS = ["scenario", "box", "mode", "action", "direction", "trigger", "split_passes",
           "needs_handshake", "residual", "protocols", "told_by"]
ALLOWED = {
    "mode": {"on-path", "in-path"},
    "action": {"rst", "drop", "icmp", "alert", "throttle", "intercept", "forge-dns", "page"},
    "direction": {"to-client", "to-server", "both"},
    "split_passes": {"yes", "no", "untested"},
    "needs_handshake": {"yes", "no", "untested"},
    "protocols": {"tcp", "udp", "tls", "http", "ssh", "dns", "quic", "openvpn", "wireguard", "ike", "l2tp", "pptp",
                  "sstp", "gre", "shadowsocks", "obfs4"},
}


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main():
    folder = os.path.join(sys.argv[1], "pcaps")
    rows, profiles = read(os.path.join(folder, "MANIFEST")), read(os.path.join(folder, "PROFILES"))
    bad = [] if list(profiles[0]) == COLUMNS else ["the columns are not " + " ".join(COLUMNS)]
    boxed = {row["file"].split("/")[0] for row in rows if row["expect"] != "none"}
    known = {row["scenario"] for row in profiles}
    bad += [f"{name}: a box acts here, and pcaps/PROFILES does not say what its rule is" for name in
            sorted(boxed - known)]
    bad += [f"{name}: no row of pcaps/MANIFEST shows that a box acts here" for name in
            sorted(known - boxed)]
    seen = set()
    for row in profiles:
        where = f"{row['scenario']} box {row['box']}"
        bad += [f"{where}: {key} is {row[key]}" for key, words in ALLOWED.items() if row[key] not in words]
        if row["residual"] != "-" and not row["residual"].isdigit():
            bad.append(f"{where}: residual is {row['residual']}")
        pair = row["told_by"].split("+")
        if row["told_by"] not in ("pooled", "-") and (len(pair) != 2 or not all(
                glob.glob(os.path.join(folder, row["scenario"], end + ".pcap*")) for end in pair)):
            bad.append(f"{where}: told_by is {row['told_by']}")
        # Numbered from the client on, without a hole.
        if row["box"] != "1" and (row["scenario"], str(int(row["box"]) - 1)) not in seen:
            bad.append(f"{where}: no box before it")
        seen.add((row["scenario"], row["box"]))
    print("\n".join(bad) if bad else f"{len(profiles)} boxes of {len(known)} scenarios")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
