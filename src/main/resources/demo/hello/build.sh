#!/bin/sh
# Builds an image of one small program, for the platform that Kiln asks for. Kiln runs it in a fresh checkout, with
# KILN_PLATFORM, KILN_OS, KILN_ARCH, KILN_VARIANT, KILN_REVISION, KILN_REPOSITORY and SOURCE_DATE_EPOCH set, and takes the
# OCI image layout that it leaves in KILN_OUTPUT. A real one would call buildah, bazel, nix or make here; this one needs
# nothing but a shell, coreutils and tar, and makes the same bytes whenever it is run.
set -eu
umask 022
export LC_ALL=C

short=$(printf '%.12s' "$KILN_REVISION")
message="Hello from Kiln: $KILN_REPOSITORY at $short for $KILN_PLATFORM"
echo "building $KILN_REPOSITORY at $short for $KILN_PLATFORM"

# The point of the demonstration: one platform takes much longer than the other, and nobody who pulls the quick one
# waits for it.
case $KILN_ARCH in
arm64) steps=10 pause=2 ;;
*) steps=2 pause=0.5 ;;
esac
step=1
while [ "$step" -le "$steps" ]; do
    echo "step $step of $steps"
    sleep "$pause"
    step=$((step + 1))
done

# A number as 2, 4 or 8 bytes, least significant first.
number() {
    value=$2
    count=$1
    while [ "$count" -gt 0 ]; do
        printf "\\$(printf '%03o' $((value & 255)))"
        value=$((value >> 8))
        count=$((count - 1))
    done
}

# A statically linked ELF program: one header, one segment that is the whole file, code, and the text that it prints.
# elf <machine> <size of the code> <length of the text>
elf() {
    size=$((120 + $2 + $3))
    printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000'
    number 2 2; number 2 "$1"; number 4 1
    number 8 $((0x400078)); number 8 64; number 8 0
    number 4 0; number 2 64; number 2 56; number 2 1; number 2 0; number 2 0; number 2 0
    number 4 1; number 4 5
    number 8 0; number 8 $((0x400000)); number 8 $((0x400000))
    number 8 "$size"; number 8 "$size"; number 8 4096
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
printf '%s\n' "$message" >"$work/root/hello.txt"
length=$((${#message} + 1))
entrypoint=null
case $KILN_OS/$KILN_ARCH in
linux/amd64)
    {
        elf 62 31 "$length"
        printf '\277\001\000\000\000'                       # mov edi, 1          standard output
        printf '\276'; number 4 $((0x400078 + 31))          # mov esi, text
        printf '\272'; number 4 "$length"                   # mov edx, length
        printf '\270\001\000\000\000\017\005'               # mov eax, 1; syscall write
        printf '\061\377\270\074\000\000\000\017\005'       # xor edi, edi; mov eax, 60; syscall exit
        printf '%s\n' "$message"
    } >"$work/root/hello"
    entrypoint='["/hello"]'
    ;;
linux/arm64)
    {
        elf 183 32 "$length"
        number 4 $((0xd2800020))                            # mov x0, 1           standard output
        number 4 $((0x100000e1))                            # adr x1, text
        number 4 $((0xd2800002 | length << 5))              # mov x2, length
        number 4 $((0xd2800808)); number 4 $((0xd4000001))  # mov x8, 64; svc 0   write
        number 4 $((0xd2800000))                            # mov x0, 0
        number 4 $((0xd2800ba8)); number 4 $((0xd4000001))  # mov x8, 93; svc 0   exit
        printf '%s\n' "$message"
    } >"$work/root/hello"
    entrypoint='["/hello"]'
    ;;
esac
[ ! -e "$work/root/hello" ] || chmod 755 "$work/root/hello"

echo "packing"
tar --create --file "$work/layer.tar" --directory "$work/root" --format=ustar --sort=name --owner=0 --group=0 \
    --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" .

# Puts a file among the blobs; then $digest and $size tell of it.
mkdir -p "$KILN_OUTPUT/blobs/sha256"
blob() {
    digest=$(sha256sum "$1")
    digest=${digest%% *}
    size=$(wc -c <"$1")
    size=$((size))
    cp "$1" "$KILN_OUTPUT/blobs/sha256/$digest"
    digest=sha256:$digest
}

variant=
[ -z "${KILN_VARIANT:-}" ] || variant=",\"variant\":\"$KILN_VARIANT\""
platform="\"architecture\":\"$KILN_ARCH\",\"os\":\"$KILN_OS\"$variant"
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

blob "$work/layer.tar"
layer="{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"$digest\",\"size\":$size}"
printf '{"created":"%s",%s,"config":{"Entrypoint":%s},"rootfs":{"type":"layers","diff_ids":["%s"]},"history":[{"created":"%s","created_by":"build.sh"}]}' \
    "$created" "$platform" "$entrypoint" "$digest" "$created" >"$work/config.json"
blob "$work/config.json"
config="{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"$digest\",\"size\":$size}"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
    "$config" "$layer" >"$work/manifest.json"
blob "$work/manifest.json"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"platform":{%s}}]}' \
    "$digest" "$size" "$platform" >"$KILN_OUTPUT/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$KILN_OUTPUT/oci-layout"
echo "done: $digest"
