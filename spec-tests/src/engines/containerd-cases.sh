#begin
start_containerd "$BASE"
make_archive
ctr images import --snapshotter overlayfs --all-platforms "$BASE/box.tar" >/dev/null

#end
for id in $(ctr container ls -q); do
    ctr task kill -s KILL "$id" 2>/dev/null || true
done
stop_containerd

#case run
eq "$(box -- echo hello)" hello
eq "$(ctr container ls -q | grep -cx "$NAME")" 0 || true
test ! -e "/sys/fs/cgroup/memory$PARENT/$NAME"

#case run-exit-code
gives 7 box -- sh -c 'exit 7'
gives 1 box -- nothing-of-the-kind
has "$said" 'executable file not found'

#case run-terminal
eq "$(pty ctr run --rm -t --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" docker.io/test/box:1 "$NAME" sh -c 'test -t 0 && tty')" /dev/pts/0

#case life
sleeper
has "$(ctr task ls)" RUNNING
pid=$(ctr task ls | awk -v n="$NAME" '$1 == n {print $2}')
eq "$(cat "/proc/$pid/comm")" sh
has "$(ctr task ps "$NAME")" "$pid"
ctr task pause "$NAME"
has "$(ctr task ls | grep -w "$NAME")" PAUSED
ctr task resume "$NAME"
has "$(ctr task ls | grep -w "$NAME")" RUNNING
ctr task kill -s TERM "$NAME"
soon sh -c 'ctr task ls | grep -w "$NAME" | grep -w STOPPED'
has "$(ctr task delete "$NAME" 2>&1 || echo "code $?")" "code 5"
ctr container delete "$NAME"

#case exec
sleeper
eq "$(ctr task exec --exec-id e1 "$NAME" /bin/echo hello)" hello
gives 9 ctr task exec --exec-id e2 "$NAME" sh -c 'exit 9'
eq "$(echo in | ctr task exec --exec-id e3 "$NAME" cat)" in
eq "$(ctr task exec --exec-id e4 --cwd /tmp --user 1:1 "$NAME" sh -c 'pwd; id -u' | xargs)" '/tmp 1'
eq "$(pty ctr task exec -t --exec-id e5 "$NAME" sh -c 'tty; sleep 0.5')" /dev/pts/0
gives 1 ctr task exec --exec-id e6 "$NAME" nothing-of-the-kind
has "$said" 'executable file not found'
ctr task exec -d --exec-id e7 "$NAME" sleep 60
soon sh -c 'ctr task exec --exec-id "e8$RANDOM" "$NAME" ps | grep -q "sleep 60"'
ctr task kill --exec-id e7 -s KILL "$NAME"
soon sh -c '! ctr task exec --exec-id "e9$RANDOM" "$NAME" ps | grep -q "sleep 60"'
remove

#case kill-all
sleeper --with-ns "pid:/proc/1/ns/pid"
ctr task exec -d --exec-id e1 "$NAME" sleep 65.3
soon pgrep -fx 'sleep 65.3'
ctr task kill -a -s KILL "$NAME"
soon sh -c '! pgrep -fx "sleep 65.3"'
remove

#case metrics
sleeper --memory-limit 67108864
ctr task metrics --format json "$NAME" >metrics
has "$(cat metrics)" 67108864
remove

#case limits
sleeper --memory-limit 67108864 --cpus 0.5
eq "$(cat "/sys/fs/cgroup/memory$PARENT/$NAME/memory.limit_in_bytes")" 67108864
eq "$(cat "/sys/fs/cgroup/cpu$PARENT/$NAME/cpu.cfs_quota_us")" 50000
remove
test ! -e "/sys/fs/cgroup/memory$PARENT/$NAME"

#case options
eq "$(box --env A=1 --cwd /tmp -- sh -c 'echo $A $PWD')" '1 /tmp'
box --privileged -- sh -c 'grep CapEff /proc/self/status' >caps || skip "$(cat caps)"

#case mounts
echo data >file
eq "$(box --mount "type=bind,src=$WORK,dst=/w,options=rbind:ro" -- cat /w/file)" data
gives 1 box --read-only -- touch /file

#case seccomp
eq "$(box --seccomp -- grep -w Seccomp /proc/self/status | cut -f2)" 2

#case user-namespace
box --uidmap 0:100000:65536 --gidmap 0:100000:65536 -- cat /proc/self/uid_map >out 2>&1 || { tail -n 2 out >&2; false; }
eq "$(xargs <out)" "0 100000 65536"

#case rootfs
mkdir root
tar -C root -xf "$IMAGE"
eq "$(ctr run --rm --rootfs "${USE[@]}" --cgroup "$PARENT/$NAME" "$WORK/root" "$NAME" /bin/echo hello)" hello

#case network
box --net-host -- readlink /proc/self/ns/net >seen
eq "$(cat seen)" "$(readlink /proc/self/ns/net)"

#case parallel
: >out
for n in 1 2 3 4 5 6 7 8 9 10; do
    (NAME=$NAME-$n; box -- echo "$n" >"out.$n" 2>"err.$n" || echo "$n ended with $?: $(cat "err.$n")" >>out) &
done
wait
eq "$(cat out)" ''
eq "$(cat out.* | sort -n | xargs)" '1 2 3 4 5 6 7 8 9 10'

#case events
ctr events >events &
pid=$!
sleep 0.3
box -- true
soon grep -q '/tasks/delete' events
kill $pid
grep -q '/tasks/start' events
grep -q '/tasks/exit' events

#case oom-event
ctr events >events &
pid=$!
sleep 0.3
gives 137 box --memory-limit 16777216 -- dd if=/dev/zero of=/dev/null bs=64M count=1
soon grep -q '/tasks/oom' events
kill $pid

#case log-and-pid-file
ctr run -d --snapshotter overlayfs --cgroup "$PARENT/$NAME" "${USE[@]}" --log-uri "file://$WORK/log" --pid-file "$WORK/pid" docker.io/test/box:1 "$NAME" \
    sh -c 'echo one; while :; do sleep 0.1; done'
soon grep -q one log
eq "$(cat "/proc/$(cat pid)/comm")" sh
remove

#case signals
sleeper
ctr task exec -d --exec-id e1 "$NAME" sh -c 'trap "touch /tmp/usr1" USR1; touch /tmp/ready; while :; do sleep 0.1; done'
soon sh -c 'ctr task exec --exec-id "e$RANDOM" "$NAME" test -e /tmp/ready'
ctr task kill --exec-id e1 -s USR1 "$NAME"
soon sh -c 'ctr task exec --exec-id "e$RANDOM" "$NAME" test -e /tmp/usr1'
remove

#case exec-when-paused
sleeper
ctr task pause "$NAME"
gives 1 ctr task exec --exec-id e1 "$NAME" true
has "$said" paused
ctr task resume "$NAME"
gives 0 ctr task exec --exec-id e2 "$NAME" true
remove

#case devices-and-capabilities
gives 0 box --device /dev/kmsg -- test -c /dev/kmsg
eq "$(box --cap-add CAP_SYS_ADMIN -- sh -c 'grep CapEff /proc/self/status' | cut -f2)" 00000000a82425fb
eq "$(box --cap-drop CAP_NET_RAW -- sh -c 'grep CapEff /proc/self/status' | cut -f2)" 00000000a80405fb
eq "$(box -- grep NoNewPrivs /proc/self/status | cut -f2)" 1
eq "$(box --allow-new-privs -- grep NoNewPrivs /proc/self/status | cut -f2)" 0

#case failed-create-leaves-nothing
gives 1 box --mount "type=bind,src=$WORK/none,dst=/x,options=bind" -- true
has "${said,,}" 'no such file or directory'
test ! -e "/sys/fs/cgroup/memory$PARENT/$NAME"
eq "$(ls "$BASE/state/io.containerd.runtime.v2.task/test" | grep -cx "$NAME")" 0 || true

