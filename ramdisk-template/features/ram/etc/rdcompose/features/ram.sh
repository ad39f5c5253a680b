# A machine that lives in RAM, where the command line names no root.
# shellcheck shell=sh
# The default that init set:
# shellcheck disable=SC2034
root=none
