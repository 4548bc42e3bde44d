# Alternates stress-ng bare, under a recording without findings, and under a recording with findings. Prints: rate
# WORKLOAD KIND OPS-PER-SECOND.
SECONDS_EACH=4
rate() {
    # The line of the stressor: name, operations, real, user and system time, operations per second of real time.
    awk -v what="$1" -v name="$2" '$4 == name && $5 ~ /^[0-9]+$/ { print "rate", what, $9 }'
}
one() {
    stress-ng "$@" --timeout $SECONDS_EACH --metrics-brief 2>&1
}
for workload in fork fault; do
    # The first run warms the caches.
    one --$workload 2 >/dev/null
    round=1
    while [ $round -le "$PAIRS" ]; do
        one --$workload 2 | rate "$workload bare" $workload
        pintrace record --no-findings --force -o /tmp/bench.pintrace -- stress-ng --$workload 2 \
            --timeout $SECONDS_EACH --metrics-brief 2>&1 | rate "$workload without" $workload
        pintrace record --force -o /tmp/bench.pintrace -- stress-ng --$workload 2 \
            --timeout $SECONDS_EACH --metrics-brief 2>&1 | rate "$workload with" $workload
        round=$((round + 1))
    done
done
