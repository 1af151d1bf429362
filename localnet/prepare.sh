# Sourced by ./localnet/* and ./tests/run: what a fresh Debian machine lacks, and RocksDB built once.
#
# RocksDB as its crate builds it takes 25 minutes on two cores, once per profile. Compiled here in
# chunks of ten files it takes 4 to 8, once per machine, and serves every profile. A caller's own
# ROCKSDB_LIB_DIR wins; a plain `cargo build` works too, slower.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

cache_dir() { printf '%s/guts' "${XDG_CACHE_HOME:-$HOME/.cache}"; }

# Whether bindgen will find libclang below $1/usr, and the headers that come beside it. What other
# packages bring as libclang-cpp.so is another library.
has_libclang() {
    local dir
    for dir in "$1"/usr/lib/llvm-*/lib "$1"/usr/lib/*-linux-gnu "$1"/usr/lib64 "$1"/usr/lib; do
        compgen -G "$dir/libclang.so*" >/dev/null \
            && compgen -G "$dir/clang/*/include/stddef.h" >/dev/null && return
    done
    return 1
}

# Installs the Debian packages that are missing, naming them first.
ensure_packages() {
    local missing=()
    command -v g++ >/dev/null || missing+=(g++)
    command -v ar >/dev/null || missing+=(binutils)
    command -v git >/dev/null || missing+=(git)
    command -v ssh-keygen >/dev/null || missing+=(openssh-client)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    command -v perl >/dev/null || missing+=(perl)
    [ -n "${LIBCLANG_PATH:-}" ] || has_libclang "" || missing+=(libclang-dev)
    if [ ${#missing[@]} -gt 0 ]; then
        say "• installing Debian packages: ${missing[*]}"
        command -v apt-get >/dev/null \
            || die "this machine has no apt-get: install the equivalents of ${missing[*]}, then run this again"
        local sudo=()
        if [ "$(id -u)" != 0 ]; then
            command -v sudo >/dev/null || die "run as root or install sudo: needed for apt-get install ${missing[*]}"
            sudo=(sudo)
        fi
        { "${sudo[@]}" apt-get update -qq \
            && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2 \
            || die "apt-get could not install ${missing[*]}: see its message above"
    fi
    if ! command -v cargo >/dev/null; then
        [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
        command -v cargo >/dev/null \
            || die "no cargo found: install Rust 1.90 or newer from https://rustup.rs, then run this again"
    fi
}

# Compiles chunk $1 (a file of #include lines) unless it is done; called by xargs in a subshell.
compile_chunk() {
    local src=$1 out=${1%.cc}.o
    # shellcheck disable=SC2086
    [ -f "$out" ] || { g++ $ROCKSDB_FLAGS -c "$src" -o "$out.part" && mv "$out.part" "$out"; } || return 255
    local dir; dir=$(dirname "$src")
    printf '\r• compiling RocksDB: %s of %s chunks' "$(ls "$dir"/*.o | wc -l)" "$(ls "$dir"/*.cc | wc -l)" >&2
}

# Sets ROCKSDB_LIB_DIR to a static RocksDB of the version in Cargo.lock, building it if need be.
ensure_rocksdb() {
    [ -n "${ROCKSDB_LIB_DIR:-}" ] && { export ROCKSDB_STATIC=1; return; }
    local version dir
    version=$(awk '/^name = "librocksdb-sys"/ {getline; gsub(/[",]/, ""); print $3}' Cargo.lock)
    [ -n "$version" ] || die "Cargo.lock names no librocksdb-sys: is this the root of the repository?"
    dir=$(cache_dir)/rocksdb-$version-$(uname -m)-lz4
    if [ ! -f "$dir/librocksdb.a" ]; then
        mkdir -p "$dir" || die "cannot write to $dir"
        ( flock 9; [ -f "$dir/librocksdb.a" ] || build_rocksdb "$dir" ) 9>"$dir/lock" \
            || die "RocksDB did not build; delete $dir to start over"
    fi
    export ROCKSDB_LIB_DIR=$dir ROCKSDB_STATIC=1
}

build_rocksdb() {
    local dir=$1 manifest src lz4 work
    say "• fetching sources"
    cargo fetch --locked --quiet || return 1
    manifest=$(cargo metadata --locked --format-version 1 \
        | grep -o '"manifest_path":"[^"]*/librocksdb-sys-[^"]*"' | head -n 1 | cut -d'"' -f4)
    src=$(dirname "$manifest")
    lz4=$(cargo metadata --locked --format-version 1 \
        | grep -o '"manifest_path":"[^"]*/lz4-sys-[^"]*"' | head -n 1 | cut -d'"' -f4)
    lz4=$(dirname "$lz4")/liblz4/lib
    [ -f "$src/rocksdb_lib_sources.txt" ] || { say "no RocksDB sources in $src"; return 1; }
    work=$dir/work
    mkdir -p "$work"
    { grep -v '^util/build_version.cc' "$src/rocksdb_lib_sources.txt" | sed "s|^|$src/rocksdb/|"
      echo "$src/build_version.cc"; } | sed '/\/$/d; s|.*|#include "&"|' > "$work/all"
    split -l 10 -d -a 3 --additional-suffix=.cc "$work/all" "$work/chunk"
    export ROCKSDB_FLAGS="-std=c++20 -O2 -g0 -fPIC -DNDEBUG -DLZ4 -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION \
-DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX -DROCKSDB_SCHED_GETCPU_PRESENT \
-DROCKSDB_AUXV_GETAUXVAL_PRESENT -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT -w \
-I$src/rocksdb/include -I$src/rocksdb -I$src -I$lz4"
    export -f compile_chunk
    ls "$work"/chunk*.cc | xargs -P "$(nproc)" -I{} bash -c 'compile_chunk {}' || return 1
    say ""
    ar crs "$dir/librocksdb.a.part" "$work"/*.o && mv "$dir/librocksdb.a.part" "$dir/librocksdb.a" \
        && rm -r "$work"
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
release=${CARGO_TARGET_DIR:-$root/target}/release
default_home=$root/.localnet

# Builds the release programs; cargo shows its own progress.
build_release() {
    local where=$PWD
    cd "$root"
    ensure_packages
    ensure_rocksdb
    say "• building (the first time takes ten to fifteen minutes)"
    cargo build --release --locked --workspace --bins --examples >&2 || die "the build failed: see above"
    cd "$where"
}

find_release() {
    [ -x "$release/guts-localnet" ] || die "nothing is built yet: run ./localnet/start first"
}
