# A containerd of the cases' own, and what they do with it. $USE is what makes ctr take what is tried.
export CONTAINERD_NAMESPACE=test
# box OPTION... -- COMMAND...: a container to its end.
box() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    ctr run --rm --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" "${options[@]}" docker.io/test/box:1 "$NAME" "$@"
}
# A container in the background that sleeps.
sleeper() { ctr run -d --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" "$@" docker.io/test/box:1 "$NAME" sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'; }
remove() {
    ctr task kill -s KILL "$NAME" 2>/dev/null || true
    soon sh -c '! ctr task ls | grep -w "$NAME" | grep -w RUNNING'
    ctr task delete "$NAME" >/dev/null 2>&1 || true
    ctr container delete "$NAME"
}
# start_containerd DIR [LINE...]: a daemon whose root, state and sockets are in DIR; the lines go to its config.toml.
start_containerd() {
    local dir=$1
    shift
    mkdir -p "$dir/root" "$dir/state"
    [ -e "$dir/config.toml" ] || cat >"$dir/config.toml" <<TOML
version = 2
root = "$dir/root"
state = "$dir/state"
$([ $# -gt 0 ] || echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]')
[grpc]
  address = "$dir/containerd.sock"
[ttrpc]
  address = "$dir/containerd.sock.ttrpc"
$(printf '%s\n' "$@")
TOML
    # A shim is looked for in the daemon's PATH.
    PATH="$BASE/bin:$PATH" setsid containerd -c "$dir/config.toml" >>"$dir/containerd.log" 2>&1 &
    echo $! >"$dir/pid"
    soon ctr --address "$dir/containerd.sock" version || { tail -n 3 "$dir/containerd.log" >&2; return 1; }
}
# An archive as the OCI image specification has it, with one layer.
make_archive() {
    mkdir -p oci/blobs/sha256
    blob() { # FILE: puts it among the blobs and tells its digest and size
        local digest
        digest=$(sha256sum "$1" | cut -d' ' -f1)
        cp "$1" "oci/blobs/sha256/$digest"
        printf '"digest": "sha256:%s", "size": %s' "$digest" "$(stat -c %s "$1")"
    }
    layer=$(blob "$IMAGE")
    echo '{"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sleep", "3600"]},
     "rootfs": {"type": "layers", "diff_ids": ["'"$(sed 's/.*"\(sha256:[^"]*\)".*/\1/' <<<"$layer")"'"]}}' >config.json
    echo '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
     "config": {"mediaType": "application/vnd.oci.image.config.v1+json", '"$(blob config.json)"'},
     "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", '"$layer"'}]}' >manifest.json
    echo '{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", '"$(blob manifest.json)"',
     "annotations": {"io.containerd.image.name": "docker.io/test/box:1"}}]}' >oci/index.json
    echo '{"imageLayoutVersion": "1.0.0"}' >oci/oci-layout
    tar -C oci -cf "$BASE/box.tar" .
}
stop_containerd() {
    kill "$(cat "$BASE/pid")"
    soon sh -c '! kill -0 "$(cat "$BASE/pid")"'
}
