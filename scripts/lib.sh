# Shared by the scripts beside it. Source it: it changes to the top of the tree, so that every path below is from there.
# shellcheck shell=bash
set -euo pipefail
LIB_CALLER=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE=1 # root leaves no files in a user's tree

# Everything that building, testing, measuring and the demo need, on Debian 12 and 13.
PACKAGES=(
    build-essential meson ninja-build pkgconf git clang clang-format shellcheck
    libdpdk-dev dpdk-dev libsodium-dev liburing-dev libxxhash-dev zlib1g-dev libcjson-dev libcmocka-dev
    libqrencode-dev libpng-dev libmicrohttpd-dev libseccomp-dev libcap-ng-dev libssl-dev libfuse3-dev
    liblmdb-dev chromium fuse3 fio iproute2 libcoap3-bin tshark jq valgrind python3 python3-cbor2 python3-cryptography python3-scapy
)

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Runs a command as root: as it is, or raised.
as_root() {
    if [ "$EUID" = 0 ]; then "$@"; else sudo -E "$@"; fi
}

# Runs this script again as root, where it is not yet.
become_root() {
    [ "$EUID" = 0 ] || exec sudo -E "$@"
}

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || say "$package"
    done
}

# quietly WHAT COMMAND…: shows what the command said only where it fails.
quietly() {
    local what=$1 log
    shift
    log=$("$@" 2>&1) || {
        printf '%s\n' "$log" | tail -n 60 >&2
        die "$what failed"
    }
}

apt_install() {
    quietly "installing $*" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "$@"
}

# Installs what is missing; runs nothing when all are there.
install_packages() {
    local missing clang runtime
    mapfile -t missing < <(missing_packages "${PACKAGES[@]}")
    if [ ${#missing[@]} != 0 ]; then
        step "installing ${missing[*]}"
        quietly 'apt-get update' as_root apt-get -q update
        apt_install "${missing[@]}"
    fi
    # The sanitizers' runtime is a package of its own, named after clang's version.
    clang=$(clang -dumpversion)
    runtime=libclang-rt-${clang%%.*}-dev
    [ -z "$(missing_packages "$runtime")" ] || apt_install "$runtime"
}

# build DIR TARGETS [MESON OPTION…]: configures once, builds always; no TARGETS are all. The compiler comes from CC.
build() {
    local directory=$1 targets
    read -ra targets <<<"$2"
    shift 2
    if [ ! -f "$directory/build.ninja" ]; then
        rm -rf "$directory"
        quietly "meson setup $directory" meson setup "$directory" "$@"
    fi
    quietly "building $directory" nice ninja -C "$directory" ${targets[@]+"${targets[@]}"}
}

# targets_of DIR: the targets of a folder with its executables' sources, DIR/PREFIX_NAME.c.
targets_of() { find "tests/$1" -maxdepth 1 -name "$1_*.c" | sed 's/\.c$//' | sort | xargs; }

PROGRAMS='chengmen chengmen-control chengmen-dataplane chengmen-load'
# Optimised as one program: a request costs 9 % less in scripts/bench gate with signatures taken out.
build_release() { build build "$PROGRAMS" -Dbuildtype=release -Db_ndebug=false -Db_lto=true; }
build_benchmark() { build build "tests/bench/bench_$1" -Dbuildtype=release -Db_ndebug=false -Db_lto=true; }
build_sanitized() { build build-asan '' -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false; }
build_clang() { CC=clang build build-clang ''; }
build_fuzz() {
    CC=clang build build-fuzz "$(targets_of fuzz)" -Dbuildtype=debugoptimized -Dfuzz=true \
        -Db_sanitize=address,undefined -Db_lundef=false
}

# What the sanitizers need to know in every program that we run under them.
sanitizer_environment() {
    export ASAN_OPTIONS=abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=0
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:suppressions=$PWD/tests/unit/undefined.supp
    export LSAN_OPTIONS=print_suppressions=0:suppressions=$PWD/tests/unit/leaks.supp
}

# --help prints what stands at the top of the script, and does nothing, unless the script tells more itself.
if [ $# = 1 ] && [[ $1 = --help || $1 = -h ]] && [[ $LIB_CALLER =~ /(test|tidy|demo|fuzz)$ ]]; then
    sed -n '2,/^# shellcheck /{/^# shellcheck /d;s/^# \{0,1\}//p}' "$LIB_CALLER"
    exit 0
fi
