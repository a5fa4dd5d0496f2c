# Finds what the project needs, says what is missing and why, and installs it where that is allowed. Sourced by ../x.
# A need has a name; have_NAME says whether it is met (and sets `found`), why_NAME what for, line_NAME what to type.
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

# from_rustup: the folder of rustup's stable compiler, asked for in a way that downloads nothing.
from_rustup() {
    command -v rustup >/dev/null 2>&1 || return 1
    stable=$(RUSTUP_AUTO_INSTALL=0 rustup which --toolchain stable rustc 2>/dev/null) || return 1
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
line_compiler() {
    if rustup_allowed && command -v rustup >/dev/null 2>&1; then line_rustup; return; fi
    case $manager in
        apt) if apt_has_rust; then line_packages "$(version_of apt rust)"
             else echo "$(line_packages "$(version_of apt rustup)") && $(line_rustup)"; fi ;;
        dnf) line_packages "$(version_of dnf rust)" ;;
        brew) echo "$(line_packages "$(version_of brew rustup)") && $(line_rustup)" ;;
        *) echo "install rustup, then: $(line_rustup)" ;;
    esac
}
line_rustup() { echo "rustup toolchain install stable --profile minimal --component rustfmt --component clippy --target $target"; }

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
line_cc() {
    case $manager in
        apt|dnf) line_packages "$(version_of $manager cc)" ;;
        brew) echo "xcode-select --install" ;;
        *) echo "install a C compiler named cc" ;;
    esac
}

# The linker of the kernel: the one that rustup's compiler brings, LLVM's, or GNU's. (Not macOS's own: it makes no ELF.)
have_linker() {
    found=''
    for f in "$("${RUSTC:-rustc}" --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld; do
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
line_linker() {
    case $manager in
        apt) if apt_has_rust; then line_packages "$(version_of apt linker)"; else line_packages "$(version_of apt linker_other)"; fi ;;
        dnf|brew) line_packages "$(version_of $manager linker)" ;;
        *) echo "install lld" ;;
    esac
}

have_qemu() {
    found=$(command -v qemu-system-x86_64) || return 1
    qemu_version=$("$found" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
    at_least "${qemu_version:-0}" "$(version_of qemu oldest)"
}
why_qemu() { echo "QEMU for x86_64, $(version_of qemu oldest) or newer${qemu_version:+ (found $qemu_version)}: the machine that the kernel runs on"; }
line_qemu() {
    case $manager in
        apt|dnf|brew) line_packages "$(version_of $manager qemu)" ;;
        *) echo "install QEMU with qemu-system-x86_64" ;;
    esac
}

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

# line_packages NAMES: the one line that installs them.
line_packages() {
    case $manager in
        apt) echo "$(as_root)apt-get install -y --no-install-recommends $1" ;;
        dnf) echo "$(as_root)dnf install -y $1" ;;
        brew) echo "brew install $1" ;;
    esac
}

# may_install: root or sudo (or Homebrew, which needs neither), and a package manager that we know.
may_install() {
    [ "$manager" != none ] || return 1
    [ -z "$(as_root)" ] || command -v sudo >/dev/null 2>&1
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
    ! missing "$1" && return 0
    say "missing:"
    for need in $lacking; do say "  $("why_$need")"; done
    if [ "$opt_install" = no ] || ! may_install; then
        if [ "$manager" = apt ]; then say "type:  $(as_root)apt-get update"; fi
        for need in $lacking; do say "type:  $("line_$need")"; done
        exit 3
    fi
    update_lists || { say "apt-get update failed; is there a network?"; exit 3; }
    say "to be installed now:"
    for need in $lacking; do say "  $("line_$need")"; done
    agreed || { say "nothing installed"; exit 3; }
    for need in $lacking; do
        # One need's packages may bring another's.
        if "have_$need"; then continue; fi
        line=$("line_$need")
        say "+ $line"
        DEBIAN_FRONTEND=noninteractive sh -c "$line" >"$out/install.log" 2>&1 </dev/null \
            || { tail -n 15 "$out/install.log" >&2; say "that failed: $line"; exit 3; }
    done
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
            printf '%-10s fix: %s\n' '' "$("line_$need")"
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
    mkdir -p "$out"
    find_manager
    case $verb in
        doctor)
            report 'compiler cc linker qemu' && return 0
            [ -n "${CARGO:-}" ] && have_cc || exit 1
            DAMSELFLY_INCOMPLETE=1; export DAMSELFLY_INCOMPLETE ;;
        run|bench|stress|boot|test)
            provide compiler
            have_compiler && use_compiler
            if [ $own_qemu = yes ]; then provide 'cc linker'; else provide 'cc linker qemu'; fi ;;
        *)
            have_compiler && have_cc || { usage_without_compiler; case " $* " in *' --help '*|*' -h '*|*' help '*) exit 0 ;; *) exit 2 ;; esac; }
            have_compiler && use_compiler ;;
    esac
}
