# A Docker daemon of the cases' own. All that it keeps is below $BASE; its networks are in the cases' network namespace.
# The options that make $RUNTIME known as `tried`: runc's command line, or a shim that containerd finds by its type.
take() {
    if [ -z "$TYPE" ]; then
        TAKEN=(--add-runtime "tried=$RUNTIME")
    else
        echo '{"runtimes": {"tried": {"runtimeType": "'"$TYPE"'"}}}' >"$BASE/daemon.json"
        TAKEN=(--config-file "$BASE/daemon.json")
    fi
    TAKEN+=(--default-runtime tried --cgroup-parent "$PARENT")
    # A shim is looked for in the PATH of containerd, which dockerd starts.
    export PATH=$BASE/bin:$PATH
}
start_docker() {
    take
    mkdir -p "$BASE/exec" "$BASE/data"
    setsid dockerd --data-root "$BASE/data" --exec-root "$BASE/exec" -H "$DOCKER_HOST" -p "$BASE/pid" --bip 172.31.77.1/24 \
        "${TAKEN[@]}" --storage-driver overlay2 "$@" \
        >"$BASE/dockerd.log" 2>&1 &
    soon docker version || { tail -n 3 "$BASE/dockerd.log" >&2; return 1; }
    docker image inspect box >/dev/null 2>&1 || docker import -c 'ENV PATH=/bin' -c 'CMD ["sh"]' "$IMAGE" box >/dev/null
}
stop_docker() {
    docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1 || true
    kill "$(cat "$BASE/pid")"
    soon test ! -e "$BASE/pid"
}
