# Measures the CPU time and the memory of `pintrace serve` at rest, and with a million open extents.
set -e
RINGS=61
PAGES=16384 # as many buffers as one ring can register, of one page each
SECONDS_AT_REST=60
cpu_ns() {
	cat /proc/$server/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'
}
pinned() {
	awk '/^nr_foll_pin_acquired / { a = $2 } /^nr_foll_pin_released / { r = $2 } END { print a - r }' /proc/vmstat
}
sample() { # column, amount
	printf 'sample\t%s\t{"workload":"%s","amount":%s}\n' "$1" "$state" "$2"
}
measure() { # state
	state=$1
	sleep 5
	begin=$(cpu_ns)
	sleep $SECONDS_AT_REST
	sample CPU "$(echo "$begin $(cpu_ns)" | awk -v s=$SECONDS_AT_REST '{ print ($2 - $1) / s / 1e7 }')"
	sample 'resident memory' "$(awk '/^VmRSS:/ { print $2 / 1024 }' /proc/$server/status)"
	sample 'BPF maps' "$(cat /proc/$server/fdinfo/* | awk '
		/^memlock:/ { memory = $2 }
		/^map_id:/ { maps[$2] = memory }
		END { for (id in maps) sum += maps[id]; print sum / 1048576 }')"
	# The read lets pintrace measure its own cost for some minutes, so it comes last.
	wget -qO /tmp/metrics http://127.0.0.1:9895/metrics
	grep -q '^pintrace_vmstat' /tmp/metrics
	sample losses "$(awk '/^pintrace_lost_total/ { sum += $2 } END { print sum + 0 }' /tmp/metrics)"
}
printf 'kernel\t%s\n' "$(uname -r)"
start() { # options
	: >/tmp/serve
	pintrace serve --web.listen-address 127.0.0.1:9895 "$@" >/tmp/serve 2>&1 &
	server=$!
	until grep -q 'serving http' /tmp/serve; do
		kill -0 $server || { cat /tmp/serve; exit 1; }
		sleep 0.1
	done
}
stop() {
	kill -INT $server
	wait $server
}
start
measure 'at rest, no pins'
stop
# On a machine of 256 GiB the map has this size without the option.
start --map-entries EXTENTS=1048576
number=0
until [ $number -eq $RINGS ]; do
	number=$((number + 1))
	pinload io-uring --pages $PAGES --buffers $PAGES --hold 1h >/dev/null &
	pinload=$!
	until [ "$(pinned)" -ge $((number * PAGES)) ]; do
		kill -0 $pinload
		sleep 0.1
	done
done
measure "$((RINGS * PAGES)) extents"
stop
