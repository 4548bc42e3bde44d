#!/bin/busybox sh
# PID 1 of a guest: mounts the usual file systems, runs the command, writes its exit code to the second disk,
# and reboots, which ends the emulator. SERIAL is the serial line of the command. The kernel's
# console is another.

/bin/busybox --install -s /bin
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/hugepages
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t hugetlbfs hugetlbfs /dev/hugepages
ln -sf /proc/self/fd /dev/fd
chmod 1777 /tmp /dev/shm
ip link set lo up
hostname guest

. /etc/guest/settings

# The descriptor stays open, because a serial line loses its window size when the last user closes the line.
exec 5<>"$SERIAL"
stty -F "$SERIAL" 115200 -opost
for module in $(cat /etc/guest/modules); do
	insmod "/etc/guest/modules.d/$module" 2>/tmp/insmod && continue
	echo "guest: cannot load module $module: $(cat /tmp/insmod)" >"$SERIAL"
	broken=yes
done

# The kernel scans NVMe namespaces in parallel, so the device names have no fixed order.
namespace() {
	waited=0
	while [ $waited -lt 100 ]; do
		for block in /sys/block/nvme*; do
			[ "$(cat "$block/nsid" 2>/dev/null)" = "$1" ] || continue
			[ -b "/dev/${block##*/}" ] && echo "/dev/${block##*/}" && return
		done
		sleep 0.1
		waited=$((waited + 1))
	done
}
disk=$(namespace 1)
report=$(namespace 2)
report() { printf '%s\n' "$1" | dd of="$report" bs=4096 conv=sync,fsync,notrunc 2>/dev/null; }
finish() {
	report "exit $1"
	reboot -f
}

[ -z "$broken" ] || finish 1
if ! mount -t ext4 -o noatime,noinit_itable "$disk" /mnt; then
	echo "guest: cannot mount the disk at /mnt" >"$SERIAL"
	finish 1
fi
[ "$MODE" = systemd ] || report started

# systemd becomes PID 1 in the root file system on the disk. The command is a unit there, which reports as this script does.
boot_systemd() {
	cp -a /usr/local/. /mnt/usr/local/
	cp -a /root/. /mnt/root/
	mkdir -p /mnt/out /mnt/mnt /mnt/etc/guest
	cp /etc/guest/command /etc/guest/settings /mnt/etc/guest/
	# Without an id, the first boot asks questions.
	echo 0123456789abcdef0123456789abcdef >/mnt/etc/machine-id
	ln -sf /dev/null /mnt/etc/systemd/system/serial-getty@ttyS0.service
	cat >/mnt/etc/guest/run <<-END
		. /etc/guest/settings
		export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8
		printf 'started\n' | dd of=$report bs=4096 conv=sync,fsync,notrunc 2>/dev/null
		cd /root
		{ setsid sh /etc/guest/command </dev/null 2>&1; echo \$? >/run/guest-code; } | cat >/dev/ttyS1
		code=\$(cat /run/guest-code)
		if [ -n "\$(ls -A /out)" ]; then
			tar -C /out -cf - . | dd of=$report bs=1M seek=1 conv=fsync,notrunc 2>/dev/null
		fi
		printf 'exit %s\n' \$code | dd of=$report bs=4096 conv=sync,fsync,notrunc 2>/dev/null
		exec systemctl reboot --force --force
	END
	cat >/mnt/etc/systemd/system/guest.service <<-END
		[Unit]
		After=multi-user.target
		[Service]
		Type=exec
		StandardOutput=file:/dev/ttyS1
		StandardError=file:/dev/ttyS1
		ExecStart=/bin/sh /etc/guest/run
		[Install]
		WantedBy=graphical.target
	END
	mkdir -p /mnt/etc/systemd/system/default.target.wants
	ln -sf /etc/systemd/system/guest.service /mnt/etc/systemd/system/default.target.wants/guest.service
	ln -sf /lib/systemd/system/graphical.target /mnt/etc/systemd/system/default.target
	umount /tmp
	for mount in proc sys dev run; do
		mount --move /$mount /mnt/$mount
	done
	exec switch_root /mnt /lib/systemd/systemd
}

[ "$MODE" = systemd ] && boot_systemd

cd /root || finish 1
case $MODE in
terminal)
	stty -F "$SERIAL" sane rows "$ROWS" cols "$COLUMNS"
	setsid -c sh /etc/guest/command <"$SERIAL" >"$SERIAL" 2>&1 5>&-
	code=$?
	;;
*)
	# The output goes through a pipe, so that programs see no terminal.
	mkfifo /run/output
	cat /run/output >"$SERIAL" &
	writer=$!
	setsid sh /etc/guest/command </dev/null >/run/output 2>&1 5>&-
	code=$?
	# Remaining processes are killed, because they keep the pipe open. Kernel threads have no command line.
	for process in /proc/[0-9]*; do
		number=${process##*/}
		[ "$number" = 1 ] || [ "$number" = $writer ] || [ -z "$(cat "$process/cmdline" 2>/dev/null)" ] || kill -9 "$number"
	done 2>/dev/null
	wait $writer
	;;
esac

if [ -n "$(ls -A /out)" ]; then
	tar -C /out -cf - . | dd of="$report" bs=1M seek=1 conv=fsync,notrunc 2>/dev/null
fi
finish $code
