#lib
export CONTAINERD_NAMESPACE=k8s.io
cri() { "$SUITE" cri "$CONTAINERD_ADDRESS" "$@" || { local code=$?; tail -n 1 "$BASE/containerd.log" >&2; return $code; }; }
pod() { mkdir -p logs; cri run-pod "$NAME" "$WORK/logs" "$PARENT/$NAME" tried; }
# in_pod POD NAME MEMORY COMMAND...: a container that is created.
in_pod() { local pod=$1 name=$2 memory=$3; shift 3; cri create "$pod" "$NAME" "$WORK/logs" "$PARENT/$NAME" "$name" docker.io/test/box:1 "$memory" "$@"; }
is() { has "$(cri status "$1")" "$2"; }
export -f cri is has
gone() { cri stop-pod "$1"; cri remove-pod "$1"; }

#begin
start_containerd "$BASE" '[plugins."io.containerd.grpc.v1.cri"]' 'sandbox_image = "docker.io/test/box:1"' 'restrict_oom_score_adj = true' 'disable_apparmor = true' \
    '[plugins."io.containerd.grpc.v1.cri".containerd]' 'default_runtime_name = "tried"' \
    '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tried]' "runtime_type = \"$TYPE\""
make_archive
ctr images import --snapshotter overlayfs --all-platforms "$BASE/box.tar" >/dev/null

#end
stop_containerd

#case pod
pod=$(pod)
one=$(in_pod "$pod" one 0 sh -c 'trap "exit 5" TERM; echo out; echo err >&2; while :; do sleep 0.1; done')
two=$(in_pod "$pod" two 0 sleep 3600)
is "$one" created
cri start "$one"
cri start "$two"
soon is "$one" running
# One shim serves all three.
parent() { ps -o ppid= -p "$(ctr task ls | awk -v n="$1" '$1 == n {print $2}')" | tr -d ' '; }
eq "$(parent "$one")" "$(parent "$pod")"
eq "$(parent "$two")" "$(parent "$pod")"
eq "$(readlink "/proc/$(parent "$pod")/exe")" "$RUNTIME"
soon grep -q 'stdout F out' logs/one.log
soon grep -q 'stderr F err' logs/one.log
cri stop "$one" 5
is "$one" 'exited 5'
is "$two" running
cri remove "$one"
gone "$pod"
soon sh -c "! ctr task ls | grep -q '$pod'"
test ! -e "/sys/fs/cgroup/memory$PARENT/$NAME/$pod"

#case exec
pod=$(pod)
one=$(in_pod "$pod" one 0 sleep 3600)
cri start "$one"
eq "$(cri exec "$one" echo hello)" hello
gives 7 cri exec "$one" sh -c 'exit 7'
eq "$(cri exec "$one" sh -c 'head -c 50000 /dev/zero' | wc -c)" 50000
gone "$pod"

#case stats
pod=$(pod)
one=$(in_pod "$pod" one 67108864 sh -c 'while :; do :; done')
cri start "$one"
sleep 0.3
stats=$(cri stats "$one")
hasnt "$stats" 'processor 0 ns'
hasnt "$stats" 'memory 0 bytes'
gone "$pod"

#case oom-killed
pod=$(pod)
one=$(in_pod "$pod" one 16777216 dd if=/dev/zero of=/dev/null bs=64M count=1)
cri start "$one"
soon is "$one" 'exited 137 OOMKilled'
gone "$pod"

#case exit-codes
pod=$(pod)
for code in 0 3 255; do
    one=$(in_pod "$pod" "c$code" 0 sh -c "exit $code")
    cri start "$one"
    soon is "$one" "exited $code"
    cri remove "$one"
done
one=$(in_pod "$pod" none 0 no-such-program)
gives 1 cri start "$one"
gone "$pod"

#case stop-by-force
pod=$(pod)
one=$(in_pod "$pod" one 0 sh -c 'trap "" TERM; while :; do sleep 0.1; done')
cri start "$one"
cri stop "$one" 1
is "$one" 'exited 137'
gone "$pod"

#case pods-at-once
for n in 1 2 3 4 5; do
    (
        NAME=$NAME-$n
        pod=$(pod)
        one=$(in_pod "$pod" one 0 sleep 3600)
        cri start "$one"
        eq "$(cri exec "$one" echo "$n")" "$n"
        gone "$pod"
    ) &
    pids[n]=$!
done
for pid in "${pids[@]}"; do wait "$pid"; done

#case shim-killed
pod=$(pod)
one=$(in_pod "$pod" one 0 sleep 3601.7)
cri start "$one"
pid=$(ctr task ls | awk -v n="$one" '$1 == n {print $2}')
kill -9 "$(ps -o ppid= -p "$pid" | tr -d ' ')"
soon is "$one" exited
soon sh -c "! kill -0 $pid"
gone "$pod"
