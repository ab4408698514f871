#lib
USE=(--runtime "$TYPE")
task_pid() { ctr task ls | awk -v n="$1" '$1 == n {print $2}'; }
# The shim of $NAME: its container's parent.
shim_pid() { ps -o ppid= -p "$(task_pid "$NAME")" | tr -d ' '; }

#case own-shim
sleeper
exe=$(readlink "/proc/$(shim_pid)/exe")
eq "$exe" "$RUNTIME"
has "$(ctr container info "$NAME")" "\"Name\": \"$TYPE\""
pid=$(shim_pid)
remove
soon sh -c "! kill -0 $pid"

#case by-path
eq "$(ctr run --rm --snapshotter overlayfs --cgroup "$PARENT/$NAME" --runtime "$RUNTIME" docker.io/test/box:1 "$NAME" echo hello)" hello

#case attach
ctr run -d --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" docker.io/test/box:1 "$NAME" sh -c 'while sleep 0.1; do echo tick; done'
# It passes signals on, all but this one.
timeout -s KILL 1 ctr task attach "$NAME" >out 2>&1 || true
has "$(cat out)" tick
remove

#case stdin
input() { ctr run --rm --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" docker.io/test/box:1 "$NAME" "$@"; }
eq "$(echo steel | input head -n 1)" steel
eq "$(head -c 1000000 /dev/zero | input sh -c 'head -c 1000000 | wc -c')" 1000000

#case log-uri
ctr run -d --log-uri "file://$WORK/log" --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" docker.io/test/box:1 "$NAME" echo logged
soon grep -qx logged log
remove

#case checkpoint
sleeper
ctr container checkpoint --task "$NAME" docker.io/test/kept:1 >out 2>&1 || { remove; skip "$(tail -n 1 out)"; }
remove
ctr container restore --live "$NAME" docker.io/test/kept:1
has "$(ctr task ls | grep -w "$NAME")" RUNNING
remove

#case shim-killed
ctr events >events &
events=$!
sleeper
pid=$(task_pid "$NAME")
kill -9 "$(shim_pid)"
soon sh -c "! kill -0 $pid"
soon sh -c '! ctr task ls | grep -w "$NAME" | grep -w RUNNING'
soon grep -q '/tasks/exit' events
kill $events
ctr task delete "$NAME" >/dev/null 2>&1 || true
ctr container delete "$NAME"
test ! -e "/sys/fs/cgroup/memory$PARENT/$NAME"
sleeper
remove

#case daemon-restarted
export CONTAINERD_ADDRESS=$WORK/d/containerd.sock
start_containerd "$WORK/d"
ctr images import --snapshotter overlayfs --all-platforms "$BASE/box.tar" >/dev/null
first=$NAME
for NAME in "$first-stays" "$first-ends" "$first-kills"; do sleeper; done
stays=$(task_pid "$first-stays") ends=$(task_pid "$first-ends")
ctr task exec --exec-id long "$first-stays" sh -c 'sleep 2; exit 3' &
exec=$!
sleep 0.2
kill -9 "$(cat d/pid)"
wait $exec || true
kill -TERM "$ends"
soon sh -c "! kill -0 $ends"
start_containerd "$WORK/d"
has "$(ctr task ls | grep -w "$first-ends")" STOPPED
has "$(ctr task delete "$first-ends" 2>&1 || echo "code $?")" "code 5"
ctr container delete "$first-ends"
eq "$(task_pid "$first-stays")" "$stays"
eq "$(ctr task exec --exec-id again "$first-stays" echo hello)" hello
ctr task metrics "$first-stays" >/dev/null
# Gone while the shim ends.
NAME=$first-kills
shim=$(shim_pid)
kill -9 "$(cat d/pid)"
kill -9 "$shim"
start_containerd "$WORK/d"
hasnt "$(ctr task ls | grep -w "$NAME" || true)" RUNNING
for NAME in "$first-stays" "$first-kills"; do remove; done
kill "$(cat d/pid)"

#case state-shown
cli=$(dirname "$RUNTIME_FILE")/corten
case "$TYPE" in *corten*) ;; *) skip 'no command line of the same runtime';; esac
[ -x "$cli" ] || skip "no $cli"
sleeper
has "$("$cli" --root /run/containerd/corten/test list)" "$NAME"
has "$("$cli" --root /run/containerd/corten/test state "$NAME")" '"running"'
remove

#case id-mapped-root
# The snapshotter hands over layers as they are, and the shim maps their ids.
has "$(ctr --version)" containerd/v2 || skip 'containerd 1 changes the owners of a copy instead'
maps=(--uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels)
eq "$(box "${maps[@]}" -- sh -c 'stat -c %u /bin/busybox /etc; touch /new; stat -c %u /new' | xargs)" '0 0 0'
sleeper "${maps[@]}"
pid=$(task_pid "$NAME")
eq "$(stat -c %u "/proc/$pid" "/proc/$pid/root/bin/busybox" | xargs)" '100000 100000'
has "$(cat "/proc/$pid/mountinfo")" 'overlay'
find "$BASE/root/io.containerd.snapshotter.v1.overlayfs/snapshots" -name busybox -uid 100000 >chowned
eq "$(cat chowned)" ''
remove
