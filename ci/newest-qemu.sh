#!/bin/sh
# Unpacks the newest QEMU that tests run on into a private folder of a Debian 12; prints the command to start it.
# usage: ci/newest-qemu.sh FOLDER            (a FOLDER that holds it already is only printed)
#
# The system stays as it is, its package sources too: a package manager's configuration of our own, whose mirrors are those
# the system's sources name, with one more suite (ci/versions.toml). What that QEMU needs and the system lacks is
# unpacked beside it. Exit status 4: this system is not one that has that suite; nothing was done.
set -eu
folder=$1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/ci/setup.sh"
suite=$(version_of qemu suite)
packages=$(version_of qemu packages)
if [ -x "$folder/qemu" ]; then
    echo "$folder/qemu"
    exit 0
fi
find_manager
[ "$manager $os" = 'apt debian 12' ] && [ "$(dpkg --print-architecture)" = amd64 ] || { say "no $suite on this system"; exit 4; }

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$folder/work.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"

# The system's mirrors of its own release, each once more; the first of them, the main one, with our suite too.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=$([ ! -e $keyring ] || echo "[signed-by=$keyring] ")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' \
    | awk -v signed="$signed" -v suite="$suite" '
        $3 == "main" { print "deb " signed $1 " " $2 " main" }
        $3 == "main" && $2 == "bookworm" && !done { print "deb " signed $1 " " suite " main"; done = 1 }
    ' > "$work/sources.list"
grep -q " $suite main" "$work/sources.list" || { say "the system's package sources name no main mirror (apt-get update?)"; exit 4; }

ours() {
    tool=$1
    shift
    "$tool" -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists" \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=true -o APT::Get::List-Cleanup=false \
        -o APT::Install-Recommends=false "$@"
}
say "unpacking QEMU of $suite into a private folder, once (about 60 MB)"
ours apt-get update >&2
# What installing it here would bring, as NAME=VERSION; nothing is installed.
ours apt-get install --simulate -t "$suite" $packages \
    | sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p' > "$work/wanted"
[ -s "$work/wanted" ] || { say "apt finds no QEMU in $suite, or it is installed already"; exit 4; }
(cd "$work/debs" && ours apt-get download $(cat "$work/wanted")) >&2
for deb in "$work/debs/"*.deb; do dpkg-deb -x "$deb" "$work/root"; done

firmware=''
for f in $(version_of qemu firmware); do firmware="$firmware -L \"\$here/root/$f\""; done
cat > "$work/qemu" <<WRAPPER
#!/bin/sh
here=\$(CDPATH='' cd -- "\$(dirname -- "\$0")" && pwd)
LD_LIBRARY_PATH="\$here/root/usr/lib/x86_64-linux-gnu:\$here/root/lib/x86_64-linux-gnu\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
exec "\$here/root/usr/bin/qemu-system-x86_64"$firmware "\$@"
WRAPPER
chmod +x "$work/qemu"
"$work/qemu" --version >&2
rm -rf "$folder/root"
mv "$work/root" "$folder/root"
mv "$work/qemu" "$folder/qemu"
echo "$folder/qemu"
