# Builds an image of one layer of some megabytes, tells in $RUNS for how long it lives, and takes as many
# seconds as its source says.
set -eu
run="$RUNS/$KILN_REVISION@$(printf %s "$KILN_PLATFORM" | tr / '~')@$(cat /proc/sys/kernel/random/uuid)"
# A pipe that nobody writes to: waiting for it forks nothing, and many builds at once take no node's processor.
exec 9<> <(:)
(while :; do echo "${EPOCHREALTIME/[.,]/}000" >>"$run"; read -rt 0.1 -u 9 || :; done) &
beat=$!
trap 'kill $beat' EXIT
echo "building $KILN_REVISION for $KILN_PLATFORM"
sleep "$(cat seconds)"
blobs=$KILN_OUTPUT/blobs/sha256
mkdir -p "$blobs"
blob() {
    digest=$(sha256sum "$1" | cut -d ' ' -f 1)
    size=$(($(wc -c <"$1")))
    cp "$1" "$blobs/$digest"
    digest=sha256:$digest
}
mkdir root
yes "$KILN_REVISION $KILN_PLATFORM" | head -c 6000000 >root/content
tar --create --file layer.tar --directory root --format=ustar --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" .
blob layer.tar
layer="{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"$digest\",\"size\":$size}"
variant=
[ -z "${KILN_VARIANT:-}" ] || variant=",\"variant\":\"$KILN_VARIANT\""
platform="\"architecture\":\"$KILN_ARCH\",\"os\":\"$KILN_OS\"$variant"
printf '{%s,"config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "$platform" "$digest" >config.json
blob config.json
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]}' \
    "$digest" "$size" "$layer" >manifest.json
blob manifest.json
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"platform":{%s}}]}' \
    "$digest" "$size" "$platform" >"$KILN_OUTPUT/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$KILN_OUTPUT/oci-layout"
