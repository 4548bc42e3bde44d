# Measures the start and the stop of sessions, on an idle guest and beside 64 busy threads. RUNS is set before this line.
set -e
uptime() { cut -d' ' -f1 /proc/uptime; }
seconds() { # workload, begin, end
	printf 'sample\t%s\t{"workload":"%s","seconds":%s}\n' "$state" "$1" "$(echo "$2 $3" | awk '{ print $2 - $1 }')"
}
beside() { # workload, command
	workload=$1
	shift
	line=$(pinload bench map-touch-unmap -- "$@")
	printf 'sample\t%s\t%s\n' "$state" "$(echo "$line" | sed "s/map-touch-unmap/$workload/")"
}
measure() {
	begin=$(uptime)
	pintrace record -o /tmp/x.pintrace -- sh -c 'cut -d" " -f1 /proc/uptime >/tmp/began'
	end=$(uptime)
	seconds 'record -- true, whole run' "$begin" "$end"
	seconds 'record, start until the command runs' "$begin" "$(cat /tmp/began)"
	seconds 'record, end of the command until exit' "$(cat /tmp/began)" "$end"
	begin=$(uptime)
	pintrace serve >/tmp/serve 2>&1 &
	server=$!
	# Reading the pipe costs nothing while pintrace starts.
	exec 3</tmp/serve
	until read -r line <&3 && [ "${line#*serving http}" != "$line" ]; do
		kill -0 $server
	done
	ready=$(uptime)
	sleep 1
	stop=$(uptime)
	kill -INT $server
	wait $server
	exec 3<&-
	seconds 'serve, start until it serves' "$begin" "$ready"
	seconds 'serve, SIGINT until exit' "$stop" "$(uptime)"
	beside quiet sleep 3
	beside record pintrace record -o /tmp/x.pintrace -- true
}
printf 'kernel\t%s\n' "$(uname -r)"
mkfifo /tmp/serve
# The first run fills caches and does not count.
pintrace record -o /tmp/x.pintrace -- true
for number in $(seq "$RUNS"); do
	state=idle
	measure
	state='64 busy threads'
	# The threads have the lowest priority and so leave half of the processor to pintrace, and they pause now and then.
	pinload busy --threads 64 &
	busy=$!
	sleep 0.2
	kill -0 $busy
	measure
	kill $busy
	wait $busy || true
done
