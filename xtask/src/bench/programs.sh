# Measures the run time of single programs that have nothing to do, with the kernel's BPF statistics.
set -e
PAGES=16384
pinned() {
	awk '/^nr_foll_pin_acquired / { a = $2 } /^nr_foll_pin_released / { r = $2 } END { print a - r }' /proc/vmstat
}
# Prints the run time and the runs of the programs with a name.
runs() { # name
	bpftool prog show | awk -v name="$1" '
		/^[0-9]+:/ { meant = index($0, " name " name " ") != 0 }
		{ for (i = 1; i < NF; i++) if (meant) { if ($i == "run_time_ns") t += $(i + 1); if ($i == "run_cnt") n += $(i + 1) } }
		END { print t + 0, n + 0 }'
}
# Prints the names of the programs on unpin functions, without their backups.
unpin_programs() {
	bpftool prog show | sed -n 's/.* name \(unpin_[a-z_]*\) .*/\1/p' | grep -v backup
}
sample() { # row, name of the program, runs before
	echo "$3 $(runs "$2")" | awk -v row="$1" '{
		if ($4 - $2 < 1000) { print "too few runs of " row; exit 1 }
		printf "sample\trun time\t{\"workload\":\"%s\",\"amount\":%s}\n", row, ($3 - $1) / ($4 - $2) }'
}
# `kfunc` is bpftrace's former word for fentry.
printf 'kernel\t%s\n' "$(uname -r)"
echo 1 >/proc/sys/kernel/bpf_stats_enabled
bpftrace -e 'kfunc:do_wp_page { }' >/tmp/bpftrace 2>&1 &
tracer=$!
until bpftool prog show | grep -q ' name .*do_wp_page'; do
	kill -0 $tracer || { cat /tmp/bpftrace; exit 1; }
	sleep 0.1
done
name=$(bpftool prog show | sed -n 's/.* name \([^ ]*do_wp_page[^ ]*\) .*/\1/p')
pinload bench cow-fault >/dev/null
sample 'empty program' "$name" '0 0'
kill -INT $tracer
wait $tracer

# Pins from before the session: their releases are not in the ledger. The buffers of one page each are released one by one.
mkfifo /tmp/hold
pinload io-uring --pages $PAGES --buffers $PAGES --hold-until-stdin </tmp/hold >/dev/null &
pinload=$!
exec 3>/tmp/hold
until [ "$(pinned)" -ge $PAGES ]; do
	kill -0 $pinload
	sleep 0.1
done
# Without a scan at the start, the ledger has no preexisting pins.
pintrace serve --mode trace --findings-from start >/tmp/serve 2>&1 &
server=$!
until grep -q 'serving http' /tmp/serve; do
	kill -0 $server || { cat /tmp/serve; exit 1; }
	sleep 0.1
done
# Another process pins, so the hook has to look its own mm up.
pinload io-uring --pages 1 --hold 1h >/dev/null &
until [ "$(pinned)" -gt $PAGES ]; do
	sleep 0.1
done
for side in enter leave; do
	before=$(runs ${side}_do_wp_page)
	pinload bench cow-fault >/dev/null
	sample "copy hook, $side, no pins in the mm" ${side}_do_wp_page "$before"
done
for program in $(unpin_programs); do
	eval "before_$program='$(runs "$program")'"
done
echo >&3
until [ "$(pinned)" -le 1 ]; do
	sleep 0.1
done
for program in $(unpin_programs); do
	eval "before=\$before_$program"
	set -- $before $(runs "$program")
	if [ $(($4 - $2)) -ge $PAGES ]; then
		sample 'release of a page that the session did not see pinned' "$program" "$before"
		break
	fi
done
kill -INT $server
wait $server
