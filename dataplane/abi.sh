#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# abi.sh HEADER...: a header with a hash of these, by which a module is known to fit.
set -eu
echo "#define WMSCOPE_ABI \"$(cat "$@" | sha256sum | cut -c 1-16)\""
