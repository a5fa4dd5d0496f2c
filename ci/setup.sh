# Finds what the project needs, says what is missing and why, and installs it where that is allowed. Sourced by ../x.
# A need has a name; have_NAME says whether it is met (and sets `found`), why_NAME what for, packages_NAME which packages
# bring it, extra_NAME what is to be typed beside them.
# Laws: system package sources are never changed; nothing is installed unannounced; RUSTUP_AUTO_INSTALL=0 keeps
# rustup from being asked for anything; a question that cannot be answered ends with 3 and is never taken for a no.
# Plain POSIX shell. Sets CARGO, RUSTC, PATH and `out` (the target folder), which is CARGO_TARGET_DIR from here on.

target=x86_64-unknown-none

# look_up SECTION KEY: sets `value` to a value of versions.toml. In the shell alone, so that nothing can fail unnoticed.
look_up() {
    value='' section=''
    while IFS= read -r row || [ -n "$row" ]; do
        case $row in
            "["*) section=$row ;;
            "$2 "*'"'*'"'*) if [ "$section" = "[$1]" ]; then value=${row#*\"}; value=${value%%\"*}; return 0; fi ;;
        esac
    done < "$root/ci/versions.toml"
    return 1
}
version_of() { if look_up "$1" "$2"; then printf '%s\n' "$value"; fi; }

# check_versions: without a readable versions.toml, everything would seem new enough, or nothing.
check_versions() {
    for entry in rust.oldest qemu.oldest apt.rust apt.rustup apt.linker apt.linker_other apt.cc apt.qemu \
        dnf.rust dnf.linker dnf.cc dnf.qemu brew.rustup brew.linker brew.qemu; do
        value=''
        if [ -f "$root/ci/versions.toml" ] && [ -r "$root/ci/versions.toml" ]; then
            look_up "${entry%.*}" "${entry#*.}" || value=''
        fi
        case $entry:$value in
            *: | *.oldest:*[!0-9.]* | *.oldest:.* | *:*[!A-Za-z0-9\ ._+-]*)
                say "x: $root/ci/versions.toml is damaged or missing: it has no $entry; git checkout brings it back"
                exit 3 ;;
        esac
    done
}

# at_least VERSION OLDEST: compares dotted numbers. In the shell alone, for the same reason.
at_least() {
    newer=$1. older=$2.
    while [ -n "$newer$older" ]; do
        x=${newer%%.*} y=${older%%.*}
        newer=${newer#*.} older=${older#*.}
        case $x in ''|*[!0-9]*) x=0 ;; esac
        case $y in ''|*[!0-9]*) y=0 ;; esac
        [ "$x" -eq "$y" ] || { [ "$x" -gt "$y" ]; return; }
    done
}

# Where nobody can be told, the exit status still tells.
say() { printf '%s\n' "$*" >&2 || :; }

# ---- the compiler ------------------------------------------------------------------------------------------

# usable FOLDER: the compiler there is new enough, real (no proxy of rustup's, which may stand for another compiler or
# none) and can build for the bare machine: it has libcore for it, or the sources to make one (ci/sysroot.sh).
usable() {
    [ -x "$1/rustc" ] && [ -x "$1/cargo" ] || return 1
    [ ! -e "$1/rustup" ] || return 1
    rustc_version=$("$1/rustc" --version 2>/dev/null) || return 1
    rustc_version=${rustc_version#rustc }
    rustc_version=${rustc_version%%[ -]*}
    case $rustc_version in [0-9]*.[0-9]*) ;; *) return 1 ;; esac
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
    qemu_version=$("$found" --version 2>/dev/null) || qemu_version=''
    case $qemu_version in
        'QEMU emulator version '*) qemu_version=${qemu_version#QEMU emulator version } qemu_version=${qemu_version%%[!0-9.]*} ;;
        *) qemu_version='' ;;
    esac
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

# note WORDS: adds a line to the report.
note() { DAMSELFLY_REPORT="$DAMSELFLY_REPORT$(printf "$@")
"; }

# report NEEDS: doctor's lines on them, good and bad; non-zero when something is missing. They are xtask's to print: it
# knows first whether the command line makes sense.
report() {
    bad=0
    for need in $1; do
        if "have_$need"; then
            case $need in
                compiler) note '%-10s rustc %s in %s' compiler "$rustc_version" "$found"; use_compiler ;;
                qemu) note '%-10s %s %s' qemu "$found" "$qemu_version" ;;
                *) note '%-10s %s' "$need" "$found" ;;
            esac
        else
            bad=1
            note '%-10s MISSING: %s' "$need" "$("why_$need")"
            fixes=$(lines "$need" | sed 's/^/           fix: /')
            [ -z "$fixes" ] || note '%s' "$fixes"
        fi
    done
    return $bad
}

# unheard: prints the report itself, where there is no xtask to do it.
unheard() { printf '%s' "${DAMSELFLY_REPORT:-}" || :; }

# short_help WHY: where xtask, which has the whole help, cannot be had.
short_help() {
    cat <<TEXT
usage: ./x VERB [FILTER] [OPTIONS]      verbs: run test bench stress trace sim boot doctor
$1, so this is the short help.
  ./x doctor            says what is missing and what to type
  ./x run               installs it where it may (asks first), then runs everything
  ./x run --no-install  installs nothing, prints what to type
TEXT
}

# ---- the target folder -------------------------------------------------------------------------------------

# choose_out: the target folder, made if need be; absolute, so that it means the same to all below. Sets `problem`
# where it cannot be used.
choose_out() {
    problem=''
    out=${CARGO_TARGET_DIR:-$root/target}
    case $out in /*) ;; *) out=$(pwd -P)/$out ;; esac
    if [ -e "$out" ] && [ ! -d "$out" ]; then say "x: the target folder $out is not a folder"; exit 3; fi
    if mkdir -p -- "$out" 2>/dev/null && [ -w "$out" ] && [ -x "$out" ]; then
        out=$(CDPATH='' cd -- "$out" && pwd -P)
    else
        problem="Nothing can be written to the target folder $out"
    fi
    CARGO_TARGET_DIR=$out DAMSELFLY_ROOT=$root
    export CARGO_TARGET_DIR DAMSELFLY_ROOT
}

# forget PACKAGES: what cargo knows of them in the target folder, for each machine and profile.
forget() {
    for known in "$out"/*/.fingerprint "$out"/*/*/.fingerprint "$out"/*/*/*/.fingerprint; do
        [ -d "$known" ] || continue
        for name in $1; do rm -rf "$known/$name"-* || return 1; done
    done
}

# claim_out: cargo takes what another checkout left in the target folder for this one's own. So a folder belongs to one
# checkout: the file `checkout` in it names that, and the folder's own path, since a folder may be copied or moved.
claim_out() {
    owner='' place=''
    if [ -r "$out/checkout" ] && [ ! -d "$out/checkout" ]; then { IFS= read -r owner && IFS= read -r place; } < "$out/checkout" || :; fi
    if [ "$owner" = "$root" ] && [ "$place" = "$out" ]; then return 0; fi
    if [ -n "$owner" ] && [ "${place:-$out}" = "$out" ] \
        && [ -e "$owner/x" ] && [ -e "$owner/ci/setup.sh" ] && [ ! "$owner/x" -ef "$root/x" ]; then
        say "x: the target folder $out belongs to another checkout, $owner; set CARGO_TARGET_DIR to another folder, or remove this one"
        exit 3
    fi
    [ -z "$problem" ] || return 0
    # What cargo knows of our own packages there is of other sources, or of other places: it is to build them anew.
    names=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$root"/*/*/Cargo.toml) \
        || { say "x: the packages of $root cannot be listed"; exit 3; }
    # The stamp last: who is interrupted before it starts over.
    { forget "$names" && printf '%s\n' "$root" "$out" > "$out/checkout"; } 2>/dev/null \
        || problem="Nothing can be written to the target folder $out"
}

# ---- the way in --------------------------------------------------------------------------------------------

# use_compiler: everything below the same compiler; no proxy of rustup's gets between its parts.
use_compiler() {
    CARGO=$found/cargo RUSTC=$found/rustc RUSTDOC=$found/rustdoc PATH=$found:$PATH
    export CARGO RUSTC RUSTDOC PATH
}

setup() {
    unset RUSTC CARGO DAMSELFLY_INCOMPLETE DAMSELFLY_REPORT
    opt_yes=no opt_install=yes own_qemu=no opt_help=no opt_kernel=no verb=''
    for word in "$@"; do
        case $word in
            --) break ;;
            --yes) opt_yes=yes ;;
            --no-install) opt_install=no ;;
            --qemu|--qemu=*|--hosted) own_qemu=yes ;;
            --help|-h) opt_help=yes ;;
            --kernel) opt_kernel=yes ;;
            -*) ;;
            *) verb=${verb:-$word} ;;
        esac
    done
    [ $opt_help = no ] || verb=help
    check_versions
    choose_out
    claim_out
    if [ -n "$problem" ]; then
        if [ $opt_help = no ]; then say "x: $problem; set CARGO_TARGET_DIR to another folder"; exit 3; fi
        # Help needs no more than what has been built already.
        if [ -x "$out/debug/xtask" ] && [ "$owner" = "$root" ]; then exec "$out/debug/xtask" "$@"; fi
        short_help "$problem"
        exit 0
    fi
    find_manager
    case $verb in
        doctor)
            DAMSELFLY_REPORT=''
            report 'compiler cc linker qemu' || { DAMSELFLY_INCOMPLETE=1; export DAMSELFLY_INCOMPLETE; }
            [ -n "${RUSTC:-}" ] && have_cc || { unheard; exit 1; }
            export DAMSELFLY_REPORT ;;
        run|bench|stress|trace|boot|test|sim)
            ! have_compiler || use_compiler
            if [ $own_qemu = yes ] || { [ "$verb" = sim ] && [ $opt_kernel = no ]; }; then provide 'compiler cc linker'; else provide 'compiler cc linker qemu'; fi
            [ -n "${RUSTC:-}" ] || { have_compiler && use_compiler; } ;;
        *)
            if have_compiler; then use_compiler; fi
            if [ -z "${RUSTC:-}" ] || ! have_cc; then
                if [ -n "${RUSTC:-}" ]; then why='There is no C compiler here yet'; else why='There is no Rust compiler here yet'; fi
                short_help "$why"
                [ $opt_help = yes ] || exit 2
                exit 0
            fi ;;
    esac
}
