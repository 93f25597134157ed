#!/bin/sh
# The build that is measured: waits for BUILD_SECONDS, then leaves an OCI image layout with one layer of LAYER_BYTES in
# KILN_OUTPUT. The same bytes whenever it is run.
set -eu
umask 022
export LC_ALL=C

sleep "${BUILD_SECONDS:-0}"
blobs=$KILN_OUTPUT/blobs/sha256
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root" "$blobs"
yes "$KILN_PLATFORM" | head -c "$LAYER_BYTES" >"$work/root/data"
tar --create --file "$work/layer" --directory "$work/root" --format=posix --pax-option=delete=atime,delete=ctime \
  --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" .
rm -r "$work/root"

# Moves a file among the blobs; then $digest and $size tell of it.
blob() {
  digest=$(sha256sum "$1")
  digest=${digest%% *}
  size=$(stat -c %s "$1")
  mv "$1" "$blobs/$digest"
  digest=sha256:$digest
}

oci=application/vnd.oci.image
blob "$work/layer"
layer="{\"mediaType\":\"$oci.layer.v1.tar\",\"digest\":\"$digest\",\"size\":$size}"
printf '{"architecture":"%s","os":"%s","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
  "$KILN_ARCH" "$KILN_OS" "$digest" >"$work/config"
blob "$work/config"
config="{\"mediaType\":\"$oci.config.v1+json\",\"digest\":\"$digest\",\"size\":$size}"
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":%s,"layers":[%s]}' \
  "$oci" "$config" "$layer" >"$work/manifest"
blob "$work/manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"%s","size":%s}]}' \
  "$oci" "$digest" "$size" >"$KILN_OUTPUT/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$KILN_OUTPUT/oci-layout"
