# shellcheck shell=sh disable=SC2034,SC2154
# Python environments of a checkout, for the commands in bin/ (sourced, POSIX sh).
#
# The caller sets $top, the checkout. An environment is named after its list of pinned
# packages: requirements/NAME.lock. It stands in .venv/NAME, or below the user's cache
# directory where the checkout cannot be written, and is complete when it holds a copy of
# that list, which is put there last. Results: $environment, and LIBARCHIVE, exported, so
# that no Python start has to search for the library again.

system_packages="python3 python3-venv libarchive13"

# Sets $place to the directory that environments are made in.
_place() {
    place=$top/.venv
    if [ -w "$top/.venv" ] || { [ -w "$top" ] && [ ! -e "$top/.venv" ]; }; then return; fi
    place=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/rdcompose/checkouts/$(
        printf %s "$top" | tr -c 'A-Za-z0-9.' _)
    # Nor can Python keep compiled modules in the checkout.
    export PYTHONPYCACHEPREFIX="${PYTHONPYCACHEPREFIX:-$place/pycache}"
}

_complete() {
    [ -x "$1/bin/python" ] && cmp -s "$1/lock" "$top/requirements/$2.lock" &&
        read -r _library <"$1/libarchive" && [ -e "$_library" ] || return 1
    export LIBARCHIVE="${LIBARCHIVE:-$_library}"
    environment=$1
}

# find_environment NAME: fails when there is none or it is not of the present list.
find_environment() {
    _complete "$top/.venv/$1" "$1" && return
    _place
    [ "$place" != "$top/.venv" ] && _complete "$place/$1" "$1"
}

# make_environment NAME: makes it, with what the system lacks; ends the program when it cannot.
make_environment() {
    _place
    mkdir -p -- "$place" || exit 1
    # One at a time; the lock goes with the process, whatever ends it.
    exec 9>"$place/$1.making"
    if command -v flock >/dev/null; then flock 9; fi
    if find_environment "$1"; then exec 9>&-; return; fi
    say "making its Python environment, $place/$1"
    _check_system
    _build "$1" "$place/$1" 9>&- || {
        rm -rf -- "${place:?}/$1"
        say "could not make its Python environment, see above"
        exit 1
    }
    exec 9>&-
    find_environment "$1"
}

_build() {
    rm -rf -- "${2:?}" &&
        "$python" -m venv -- "$2" >&2 &&
        PIP_USER=0 "$2/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
            --require-hashes --requirement "$top/requirements/$1.lock" >&2 &&
        printf '%s\n' "$library" >"$2/libarchive" &&
        cp -- "$top/requirements/$1.lock" "$2/lock"
}

# Sets $python and $library; installs what the system lacks, or says how to.
_check_system() {
    _probe && return
    if may_install; then
        say "installing what it needs from Debian: $system_packages"
        # shellcheck disable=SC2086  # a list of words
        install_debian $system_packages || exit 1
        _probe && return
    fi
    say "it needs Python 3.11 or newer with venv, and libarchive; $lack. To install them:"
    printf '    %s\n' "$(_install_command)" >&2
    exit 1
}

# True where this process may install Debian packages.
may_install() {
    [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null
}

# install_debian PACKAGE...
install_debian() {
    # Without package lists, or with old ones, the first attempt would fail.
    if have_lists && _apt_install "$@"; then return; fi
    apt-get -qq update >&2 && _apt_install "$@"
}

have_lists() {
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1
}

_apt_install() {
    # Errors only: the progress of dpkg is long and tells users nothing.
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
        --no-install-recommends "$@" >/dev/null
}

# Finds a Python that will do, and libarchive; else says in $lack what is missing.
_probe() {
    lack="no python3 was found"
    old='import sys; sys.exit(sys.version_info < (3, 11))'
    for name in ${RDCOMPOSE_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        command -v "$name" >/dev/null || continue
        "$name" -I -c "$old" || { lack="$name is older"; continue; }
        if found=$("$name" -I "$top/bin/lib/probe.py"); then
            python=${found%%:*} library=${found#*:}
            return
        fi
        lack=${found:-$name does not work}
    done
    return 1
}

_install_command() {
    ids=$(. /etc/os-release 2>/dev/null && echo " ${ID-} ${ID_LIKE-} ") || ids=
    case $ids in
        *" alpine "*) command="apk add python3 libarchive" ;;
        *" arch "*) command="pacman -S python libarchive" ;;
        *" fedora "* | *" rhel "*) command="dnf install python3 libarchive" ;;
        *suse*) command="zypper install python3 python3-pip libarchive13" ;;
        *) command="apt-get install $system_packages" ;;
    esac
    as_root "$command"
}

# as_root COMMAND: how this user would call it.
as_root() {
    if [ "$(id -u)" = 0 ]; then echo "$1"; else echo "sudo $1"; fi
}

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}
