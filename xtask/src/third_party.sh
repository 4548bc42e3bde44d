# Runs third-party programs under pintrace check. Prints one line each, separated by tabs: report NAME JSON.
export PATH=$PATH:/usr/lib/postgresql/18/bin:/usr/lib/go-1.24/bin HOME=/mnt TMPDIR=/mnt
PG=/mnt/pg
mkdir -p /dev/shm $PG
mount -t tmpfs none /dev/shm
chmod 777 /dev/shm /tmp $PG
cd /mnt
check() {
    name=$1
    shift
    rm -f /tmp/report.json
    pintrace check --allow-loss --format json --report-file /tmp/report.json -- "$@" >/tmp/output 2>&1
    code=$?
    if [ ! -s /tmp/report.json ]; then
        cat /tmp/output
        echo "third-party: no report on $name: pintrace check ended with code $code"
        exit 1
    fi
    # The report contains the exit code of the program. If the code is not 0, the output contains the reason.
    [ $code -eq 0 ] || {
        head -c 2000 /tmp/output
        echo
    }
    printf 'report\t%s\t%s\n' "$name" "$(tr -d '\n' </tmp/report.json)"
}
for engine in io_uring libaio psync; do
    check "fio $engine" fio --name=third-party --filename=/mnt/third-party.dat --size=32M --bs=4k --rw=randrw --time_based \
        --runtime=8 --numjobs=2 --iodepth=16 --direct=1 --minimal --ioengine=$engine
done
check "fio io_uring fixedbufs" fio --name=third-party --filename=/mnt/third-party.dat --size=32M --bs=64k --rw=randrw \
    --time_based --runtime=8 --iodepth=16 --direct=1 --minimal --ioengine=io_uring --fixedbufs=1
for stressor in vm userfaultfd fork mmap io-uring vm-splice; do
    check "stress-ng $stressor" stress-ng --$stressor 2 --timeout 8
done
echo 'postgres:x:100:100::/mnt/pg:/bin/sh' >>/etc/passwd
echo 'postgres:x:100:' >>/etc/group
chown postgres $PG
su postgres -c "initdb -D $PG/data --no-locale --no-sync -A trust" >/tmp/output 2>&1 || {
    cat /tmp/output
    exit 1
}
cat >>$PG/data/postgresql.conf <<CONF
io_method = io_uring
debug_io_direct = 'data'
listen_addresses = ''
unix_socket_directories = '/tmp'
shared_buffers = 64MB
CONF
cat >$PG/run.sh <<RUN
cd $PG
pg_ctl -D data -l log -w start || { cat log; exit 1; }
pgbench -h /tmp -i -s 2 -q postgres && pgbench -h /tmp -c 4 -j 2 -T 20 postgres
code=\$?
pg_ctl -D data -w -m fast stop
exit \$code
RUN
check "PostgreSQL" su postgres -c "PATH=$PATH sh $PG/run.sh"
export GOCACHE=/mnt/cache GOPATH=/mnt/path GOTOOLCHAIN=local
printf 'package main\nimport "fmt"\nfunc main() { fmt.Println("built") }\n' >/mnt/built.go
check "go build" go build -o /mnt/built /mnt/built.go
