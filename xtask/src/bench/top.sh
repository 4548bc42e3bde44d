# Measures the CPU time and the memory of `pintrace top` on a terminal of 120 by 40, which shows 98,304 extents once a second.
set -e
RINGS=6
PAGES=16384 # as many buffers as one ring can register, of one page each
SECONDS_MEASURED=20
pinned() {
	awk '/^nr_foll_pin_acquired / { a = $2 } /^nr_foll_pin_released / { r = $2 } END { print a - r }' /proc/vmstat
}
cpu_ns() {
	cat /proc/$top/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'
}
sample() { # column, amount
	printf 'sample\t%s\t{"workload":"%s","amount":%s}\n' "$1" "$state" "$2"
}
measure() { # state
	state=$1
	sleep 5
	begin=$(cpu_ns)
	sleep $SECONDS_MEASURED
	sample CPU "$(echo "$begin $(cpu_ns)" | awk -v s=$SECONDS_MEASURED '{ print ($2 - $1) / s / 1e7 }')"
	sample 'resident memory' "$(awk '/^VmRSS:/ { print $2 / 1024 }' /proc/$top/status)"
	rm -f /tmp/saved
	printf ':save /tmp/saved\r' >&3
	until grep -q '"loss"' /tmp/saved 2>/dev/null; do
		kill -0 $terminal
		sleep 0.1
	done
	losses=$(grep -o '"loss":{[^}]*}' /tmp/saved | grep -o ':[0-9]*' | tr -d : | awk '{ sum += $1 } END { print sum + 0 }')
	sample losses "$losses"
}
printf 'kernel\t%s\n' "$(uname -r)"
mkfifo /tmp/keys
exec 3<>/tmp/keys
# On a machine of 32 GiB the map has this size without the option.
script -qfc "stty rows 40 cols 120; exec pintrace top --map-entries EXTENTS=131072" /tmp/screen </tmp/keys >/dev/null 2>&1 &
terminal=$!
until grep -q unaccounted /tmp/screen 2>/dev/null; do
	kill -0 $terminal
	sleep 0.1
done
# Another process of pintrace enables the statistics of BPF.
for process in $(pidof pintrace); do
	grep -qzx top /proc/$process/cmdline && top=$process
done
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
measure 'no changes'
while true; do pinload io-uring --pages 1 >/dev/null; done &
busy=$!
measure 'processes that pin one after another'
kill $busy
printf q >&3
wait $terminal
