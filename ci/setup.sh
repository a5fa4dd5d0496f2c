# Finds what the project needs, says what is missing and why, and installs it where that is allowed. Sourced by ../x.
# A need has a name; have_NAME says whether it is met (and sets `found`), why_NAME what for, packages_NAME which packages
# bring it, extra_NAME what is to be typed beside them.
# Laws: system package sources are never changed; nothing is installed unannounced; RUSTUP_AUTO_INSTALL=0 keeps
# rustup from being asked for anything. Plain POSIX shell. Sets CARGO, RUSTC, PATH and `out` (the target folder).

target=x86_64-unknown-none

# version_of SECTION KEY: a value of versions.toml.
version_of() {
    awk -v section="[$1]" -v key="$2" '
        /^\[/ { inside = ($1 == section) }
        inside && $1 == key { sub(/^[^"]*"/, ""); sub(/".*$/, ""); print; exit }
    ' "$root/ci/versions.toml"
}

# at_least VERSION OLDEST: compares dotted numbers.
at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN {
        n = split(a, x, "."); m = split(b, y, ".")
        for (i = 1; i <= (n > m ? n : m); i++) if (x[i] + 0 != y[i] + 0) exit !(x[i] + 0 > y[i] + 0)
        exit 0
    }'
}

say() { printf '%s\n' "$*" >&2; }

# ---- the compiler ------------------------------------------------------------------------------------------

# usable FOLDER: the compiler there is new enough, real (no proxy of rustup's, which may stand for another compiler or
# none) and can build for the bare machine: it has libcore for it, or the sources to make one (ci/sysroot.sh).
usable() {
    [ -x "$1/rustc" ] && [ -x "$1/cargo" ] || return 1
    [ ! -e "$1/rustup" ] || return 1
    rustc_version=$("$1/rustc" --version 2>/dev/null) || return 1
    rustc_version=$(printf '%s\n' "$rustc_version" | awk '{ sub(/-.*/, "", $2); print $2 }')
    at_least "$rustc_version" "$(version_of rust oldest)" || { too_old="rustc $rustc_version in $1"; return 1; }
    sysroot=$("$1/rustc" --print sysroot)
    for f in "$sysroot/lib/rustlib/$target/lib/"libcore-*.rlib "$sysroot/lib/rustlib/src/rust/library/core/src/lib.rs"; do
        [ ! -e "$f" ] || return 0
    done
    half="rustc $rustc_version in $1 has neither a libcore for $target nor its sources"
    return 1
}

# find_rustup: where rustup is; Homebrew and its own installer leave it outside of PATH.
find_rustup() {
    for f in "$(command -v rustup 2>/dev/null)" "${CARGO_HOME:-${HOME:-}/.cargo}/bin/rustup" \
        /opt/homebrew/opt/rustup/bin/rustup /usr/local/opt/rustup/bin/rustup; do
        if [ -x "$f" ]; then echo "$f"; return 0; fi
    done
    return 1
}

# from_rustup: the folder of rustup's stable compiler, asked for in a way that downloads nothing.
from_rustup() {
    rustup=$(find_rustup) || return 1
    stable=$(RUSTUP_AUTO_INSTALL=0 "$rustup" which --toolchain stable rustc 2>/dev/null) || return 1
    dirname -- "$stable"
}

rustup_allowed() { [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]; }

# have_compiler: rustup's stable first, unless RUSTUP_AUTO_INSTALL=0; then what PATH has; then rustup's as it is.
have_compiler() {
    too_old='' half=''
    if rustup_allowed && folder=$(from_rustup) && usable "$folder"; then found=$folder; return 0; fi
    old_ifs=$IFS; IFS=:
    for folder in $PATH; do
        IFS=$old_ifs
        if usable "$folder"; then found=$folder; return 0; fi
    done
    IFS=$old_ifs
    if ! rustup_allowed && folder=$(from_rustup) && usable "$folder"; then found=$folder; return 0; fi
    return 1
}
why_compiler() { echo "a Rust compiler, $(version_of rust oldest) or newer, that can build for $target${too_old:+ ($too_old is too old)}${half:+ ($half)}"; }
# by_rustup: a missing compiler is rustup's to bring: rustup is here and may, or the packages have none new enough.
by_rustup() {
    if rustup_allowed && find_rustup >/dev/null; then return 0; fi
    case $manager in
        apt) ! apt_has_rust ;;
        dnf) return 1 ;;
        *) return 0 ;;
    esac
}
packages_compiler() {
    if ! by_rustup; then version_of $manager rust
    elif ! find_rustup >/dev/null; then version_of $manager rustup
    fi
}
extra_compiler() {
    by_rustup || return 0
    case $manager in
        brew) r=$(find_rustup || echo '"$(brew --prefix rustup)/bin/rustup"') ;;
        *) r=$(find_rustup || echo rustup) ;;
    esac
    echo "$r toolchain install stable --profile minimal --component rustfmt --component clippy --target $target"
}

# The compiler of Debian 12 that is kept current; Ubuntu and others have no package of that name.
apt_has_rust() {
    if [ "${lists_fresh:-}" = yes ]; then
        for p in $(version_of apt rust); do apt-cache show "$p" >/dev/null 2>&1 || return 1; done
    else
        [ "$os" = 'debian 12' ]
    fi
}

# ---- the other needs ---------------------------------------------------------------------------------------

have_cc() { found=$(command -v cc); }
why_cc() { echo "a C compiler: Rust links the host's programs with it"; }
packages_cc() { version_of $manager cc; }
extra_cc() { if [ $manager = brew ]; then echo 'xcode-select --install'; fi; }

# The linker of the kernel: the one that rustup's compiler brings, LLVM's, or GNU's. (Not macOS's own: it makes no ELF.)
# A compiler that rustup is yet to bring will bring its linker too.
have_linker() {
    found='with the compiler'
    if [ -z "${RUSTC:-}" ]; then ! by_rustup || return 0; fi
    for f in "$("${RUSTC:-false}" --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld; do
        [ ! -x "$f" ] || { found=$f; return 0; }
    done
    for l in ld.lld ld.lld-22 ld.lld-21 ld.lld-20 ld.lld-19; do
        ! found=$(command -v $l 2>/dev/null) || return 0
    done
    for f in /opt/homebrew/opt/lld/bin/ld.lld /usr/local/opt/lld/bin/ld.lld; do
        [ ! -x "$f" ] || { found=$f; return 0; }
    done
    [ "$(uname -s)" != Darwin ] && found=$(command -v ld)
}
why_linker() { echo "a linker that makes ELF files for the bare machine"; }
packages_linker() {
    if [ $manager = apt ] && ! apt_has_rust; then version_of apt linker_other; else version_of $manager linker; fi
}
extra_linker() { :; }

have_qemu() {
    found=$(command -v qemu-system-x86_64) || return 1
    qemu_version=$("$found" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
    at_least "${qemu_version:-0}" "$(version_of qemu oldest)"
}
why_qemu() { echo "QEMU for x86_64, $(version_of qemu oldest) or newer${qemu_version:+ (found $qemu_version)}: the machine that the kernel runs on"; }
packages_qemu() { version_of $manager qemu; }
extra_qemu() { :; }

# ---- installing --------------------------------------------------------------------------------------------

find_manager() {
    manager=none
    for m in apt-get dnf brew; do
        if command -v $m >/dev/null 2>&1; then manager=${m%-get}; break; fi
    done
    os=$(sh -c '. "$1" 2>/dev/null; echo "${ID:-unknown} ${VERSION_ID:-}"' _ "${DAMSELFLY_OS_RELEASE:-/etc/os-release}" 2>/dev/null) || os=unknown
}

# as_root: the words before a command that needs root: none, or sudo where it is. Homebrew wants no root.
as_root() {
    if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then echo 'sudo '; fi
}

# lines NEEDS: what to type for them: one line of packages, then what else there is.
lines() {
    names=''
    for need in $1; do
        more=$("packages_$need")
        names="$names${more:+ $more}"
    done
    case "$manager$names" in
        apt\ *) echo "$(as_root)apt-get install -y --no-install-recommends$names" ;;
        dnf\ *) echo "$(as_root)dnf install -y$names" ;;
        brew\ *) echo "brew install$names" ;;
        none*) echo "install (no apt, dnf or brew was found): $1" ;;
    esac
    for need in $1; do "extra_$need"; done
}

# may_install NEEDS: what they take is no more than root, sudo, or neither (Homebrew, rustup) can do here.
may_install() {
    case $(lines "$1") in
        'install ('*) return 1 ;;
        'sudo '*) command -v sudo >/dev/null 2>&1 ;;
    esac
}

# agreed: asks on a terminal; without one, or with --yes, goes on.
agreed() {
    [ "$opt_yes" = no ] && [ -t 0 ] && [ -t 2 ] || return 0
    printf 'install? [Y/n] ' >&2
    read -r answer || answer=n
    case $answer in ''|y|Y|yes) return 0 ;; *) return 1 ;; esac
}

# missing NEEDS: the ones that are not met.
missing() {
    lacking=''
    for need in $1; do
        "have_$need" || lacking="$lacking $need"
    done
    [ -n "$lacking" ]
}

# update_lists: a fresh Debian knows no package at all. Reads the system's own sources; changes none.
update_lists() {
    [ "$manager" = apt ] && [ "${lists_fresh:-}" != yes ] || return 0
    say "+ $(as_root)apt-get update"
    $(as_root)apt-get update -qq >&2 && lists_fresh=yes
}

# provide NEEDS: announces, asks, installs. Ends the program where something stays missing.
provide() {
    missing "$1" || return 0
    say "missing:"
    for need in $lacking; do say "  $("why_$need")"; done
    if [ "$opt_install" = no ] || ! may_install "$lacking"; then
        say "type:"
        case $(lines "$lacking") in *apt-get*) say "  $(as_root)apt-get update" ;; esac
        lines "$lacking" | sed 's/^/  /' >&2
        exit 3
    fi
    case $(lines "$lacking") in *apt-get*) update_lists ;; esac || { say "apt-get update failed; is there a network?"; exit 3; }
    say "to be installed now:"
    lines "$lacking" | sed 's/^/  /' >&2
    case " $lacking " in *' compiler '*)
        if by_rustup && ! rustup_allowed; then
            say "RUSTUP_AUTO_INSTALL=0: nothing is asked of rustup here; type it yourself"
            exit 3
        fi ;;
    esac
    agreed || { say "nothing installed"; exit 3; }
    lines "$lacking" > "$out/install.sh"
    while read -r line; do
        say "+ $line"
        DEBIAN_FRONTEND=noninteractive sh -c "$line" >"$out/install.log" 2>&1 </dev/null \
            || { tail -n 15 "$out/install.log" >&2; say "that failed: $line"; exit 3; }
    done < "$out/install.sh"
    hash -r
    ! missing "$1" || { for need in $lacking; do say "still missing: $("why_$need")"; done; exit 3; }
}

# ---- reports -----------------------------------------------------------------------------------------------

# report NEEDS: doctor's lines on them, good and bad; non-zero when something is missing.
report() {
    bad=0
    for need in $1; do
        if "have_$need"; then
            case $need in
                compiler) printf '%-10s rustc %s in %s\n' compiler "$rustc_version" "$found"; use_compiler ;;
                qemu) printf '%-10s %s %s\n' qemu "$found" "$qemu_version" ;;
                *) printf '%-10s %s\n' "$need" "$found" ;;
            esac
        else
            bad=1
            printf '%-10s MISSING: %s\n' "$need" "$("why_$need")"
            lines "$need" | sed 's/^/           fix: /'
        fi
    done
    return $bad
}

usage_without_compiler() {
    cat <<'TEXT'
usage: ./x VERB [FILTER] [OPTIONS]      verbs: run test bench stress boot doctor
There is no Rust compiler here yet, so this is the short help.
  ./x doctor            says what is missing and what to type
  ./x run               installs it where it may (asks first), then runs everything
  ./x run --no-install  installs nothing, prints what to type
TEXT
}

# ---- the way in --------------------------------------------------------------------------------------------

# use_compiler: everything below the same compiler; no proxy of rustup's gets between its parts.
use_compiler() {
    CARGO=$found/cargo RUSTC=$found/rustc RUSTDOC=$found/rustdoc PATH=$found:$PATH
    export CARGO RUSTC RUSTDOC PATH
}

setup() {
    unset RUSTC CARGO
    opt_yes=no opt_install=yes own_qemu=no verb=''
    for word in "$@"; do
        case $word in
            --) break ;;
            --yes) opt_yes=yes ;;
            --no-install) opt_install=no ;;
            --qemu|--qemu=*|--hosted) own_qemu=yes ;;
            -*) ;;
            *) verb=${verb:-$word} ;;
        esac
    done
    out=${CARGO_TARGET_DIR:-$root/target}
    mkdir -p "$out" || { say "x: nothing can be written to $out"; exit 3; }
    find_manager
    case " $* " in *' --help '*|*' -h '*) verb=help ;; esac
    case $verb in
        doctor)
            ! report 'compiler cc linker qemu' || return 0
            [ -n "${RUSTC:-}" ] && have_cc || exit 1
            DAMSELFLY_INCOMPLETE=1; export DAMSELFLY_INCOMPLETE ;;
        run|bench|stress|boot|test)
            ! have_compiler || use_compiler
            if [ $own_qemu = yes ]; then provide 'compiler cc linker'; else provide 'compiler cc linker qemu'; fi
            [ -n "${RUSTC:-}" ] || { have_compiler && use_compiler; } ;;
        *)
            if have_compiler; then use_compiler; fi
            if [ -z "${RUSTC:-}" ] || ! have_cc; then
                usage_without_compiler
                case " $* " in *' --help '*|*' -h '*) exit 0 ;; *) exit 2 ;; esac
            fi ;;
    esac
}
