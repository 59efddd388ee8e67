# Looks at a machine and changes nothing: it reads files, asks tools for their version and
# daemons for their state. No module is loaded (`ipvsadm` loads ip_vs even for --version, so
# it is asked only where ip_vs is there already), no file is written.
#
# For `sh -s`, POSIX: dash, bash, busybox ash. The answer is framed, so that one that was cut
# is recognised: "@@ begin 2"; for each section "@@ NAME", what a command said, an empty line,
# "@@ rc CODE"; last "@@ end NUMBER-OF-SECTIONS". Processes are costly on an emulated machine:
# what the shell can read itself it does, and the console takes the lines apart.
LC_ALL=C
export LC_ALL
count=0
login_path=$PATH
all_paths=$PATH:/usr/local/sbin:/usr/sbin:/sbin
PATH=$all_paths
release=$(uname -r)
tree=/lib/modules/$release

# section NAME COMMAND...
section() {
    count=$((count + 1))
    printf '@@ %s\n' "$1"
    shift
    "$@" </dev/null 2>&1
    printf '\n@@ rc %s\n' "$?"
}

# bounded COMMAND...: at most 5 seconds of it; without timeout(1) it does not run at all.
if timeout -k 1 5 true 2>/dev/null; then
    bounded() { timeout -k 1 5 "$@"; }
elif timeout 5 true 2>/dev/null; then
    bounded() { timeout 5 "$@"; }
else
    bounded() { return 127; }
fi
has() { command -v "$1" >/dev/null 2>&1; }
ask() { if has "$1"; then bounded "$@"; else return 127; fi; }
ask_quietly() { ask "$@" 2>/dev/null; }

# value NAME FILE: "NAME=first line of the file", empty where it cannot be read.
value() {
    line=
    if [ -r "$2" ]; then read -r line <"$2"; fi 2>/dev/null
    printf '%s=%s\n' "$1" "$line"
}

clock() { date '+%s %N'; }

system() {
    printf 'uname='
    uname -snrm
    printf 'id='
    id
    printf 'sudo_user=%s\n' "${SUDO_USER-}"
    value selinux /sys/fs/selinux/enforce
    value apparmor /sys/module/apparmor/parameters/enabled
    value modules_disabled /proc/sys/kernel/modules_disabled
    if [ -d /run/systemd/system ]; then echo init=systemd; else echo init=other; fi
}

distribution() {
    if [ -r /etc/os-release ]; then cat /etc/os-release; else cat /usr/lib/os-release; fi
}

# "in NAME FILE", or "out NAME FILE" for one that is not on the PATH of the console's commands.
tools() {
    for tool in timeout flock sync awk sha256sum gzip sysctl ip ipvsadm keepalived nft iptables \
        conntrack virsh qemu-img python3 curl sudo; do
        PATH=$login_path
        if has "$tool"; then
            printf 'in %s ' "$tool"
            command -v "$tool"
        else
            PATH=$all_paths
            if has "$tool"; then
                printf 'out %s ' "$tool"
                command -v "$tool"
            fi
        fi
    done
    PATH=$all_paths
}

units() {
    ask systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState \
        keepalived.service ipvsadm.service \
        chrony.service chronyd.service ntpsec.service ntpd.service systemd-timesyncd.service
}

ipvsadm_version() {
    if [ -e /proc/net/ip_vs ]; then
        ask ipvsadm --version
    elif has dpkg-query; then
        bounded dpkg-query -W -f '${Version}\n' ipvsadm
    else
        ask rpm -q --qf '%{VERSION}\n' ipvsadm
    fi
}

# The modules that matter here: loaded, built in, on the disk, kept out by modprobe.d(5).
wanted='(ip_vs[a-z0-9_]*|ipip|ip_gre|fou)'
loaded() { grep -E "^$wanted " /proc/modules 2>/dev/null; }
builtin_modules() {
    [ -r "$tree/modules.builtin" ] || return 2
    grep -E "/$wanted\.ko" "$tree/modules.builtin"
}
module_files() {
    [ -r "$tree/modules.dep" ] || return 2
    for path in $(grep -o -E "^[^:]*/$wanted\.ko[^:]*" "$tree/modules.dep"); do
        if [ -e "$tree/$path" ]; then echo "$path"; fi
    done
}
redirected() {
    grep -s -h -E '^[[:space:]]*install[[:space:]]+ip[_-]vs' \
        /etc/modprobe.d/*.conf /run/modprobe.d/*.conf /lib/modprobe.d/*.conf
}
dry_run() {
    if [ -e /proc/net/ip_vs ]; then return 0; fi
    ask modprobe -n -q ip_vs
}

# How the kernel was built, for one whose modules are not listed.
kernel_options() {
    options='^CONFIG_(IP_VS[A-Z_]*|MODULES)='
    if [ -r "$tree/modules.builtin" ] && [ -r "$tree/modules.dep" ]; then
        return 0
    elif [ -r "/boot/config-$release" ]; then
        echo listed
        grep -E "$options" "/boot/config-$release"
    elif [ -r /proc/config.gz ] && has gzip; then
        echo listed
        gzip -dc /proc/config.gz | grep -E "$options"
    fi
}

ipvs() {
    [ -e /proc/net/ip_vs ] || return 1
    value head /proc/net/ip_vs
    value conn_tab_bits /sys/module/ip_vs/parameters/conn_tab_bits
    printf 'services='
    bounded grep -c -E '^(TCP|UDP|SCTP|FWM) ' /proc/net/ip_vs
    return 0
}

# Programs that write an IPVS table, in this network namespace: their number and name.
writers() {
    for comm in $(grep -s -l -x -E \
        'keepalived|ldirectord|kube-proxy|kube-router|seesaw_[a-z]*|nanny' /proc/[0-9]*/comm); do
        process=${comm%/comm}
        if [ "$(readlink "$process/ns/net")" = "$(readlink /proc/self/ns/net)" ]; then
            value "$process" "$comm"
        fi
    done
}

# counted NAME PATTERN FILE: "NAME=how many lines match".
counted() {
    if [ -r "$3" ]; then
        printf '%s=' "$1"
        grep -c -E "$2" "$3"
    fi
}
at_boot() {
    grep -s -E '^(AUTO|DAEMON)=' /etc/default/ipvsadm
    counted debian_rules '^-(A|-add-service)' /etc/ipvsadm.rules
    counted rhel_rules '^-(A|-add-service)' /etc/sysconfig/ipvsadm
    counted keepalived_services '^[[:space:]]*(virtual_server|include)' \
        /etc/keepalived/keepalived.conf
    return 0
}

sysctls() {
    base=/proc/sys/net
    grep -s -H '' $base/ipv4/ip_forward $base/ipv6/conf/all/forwarding \
        $base/ipv6/conf/all/disable_ipv6 $base/netfilter/nf_conntrack_count \
        $base/netfilter/nf_conntrack_max $base/ipv4/vs/* \
        $base/ipv4/conf/*/rp_filter $base/ipv4/conf/*/arp_ignore \
        $base/ipv4/conf/*/arp_announce
}

hardware() {
    value cpus /sys/devices/system/cpu/online
    sed -n -e '/^model name/p' -e '/^flags/{p;q;}' /proc/cpuinfo
    grep -E '^(MemTotal|MemAvailable|SwapTotal):' /proc/meminfo
    if [ ! -c /dev/kvm ]; then
        echo kvm=absent
    elif (exec 3<>/dev/kvm) 2>/dev/null; then
        echo kvm=usable
    else
        echo kvm=refused
    fi
    for nested in /sys/module/kvm_*/parameters/nested; do
        if [ -r "$nested" ]; then value nested "$nested"; fi
    done
}

cgroups() {
    grep -E ' cgroup2? ' /proc/mounts
    value controllers /sys/fs/cgroup/cgroup.controllers
}

filesystems() {
    set --
    for path in / /var /var/lib /var/lib/libvirt/images; do
        if [ -d "$path" ]; then set -- "$@" "$path"; fi
    done
    bounded df -P -k "$@"
}

writable() {
    for path in /etc /var/lib; do
        if [ ! -d "$path" ]; then
            echo "absent $path"
        elif [ -w "$path" ]; then
            echo "yes $path"
        else
            echo "no $path"
        fi
    done
}

bridges() {
    for bridge in /sys/class/net/*/bridge; do
        [ -d "$bridge" ] || continue
        device=${bridge%/bridge}
        printf '%s' "${device##*/}"
        for port in "$device"/brif/*; do
            if [ -e "$port" ]; then printf ' %s' "${port##*/}"; fi
        done
        echo
    done
}

lvm() { ask_quietly "$@" --noheadings --nosuffix --units b --separator '|'; }

probe() {
    echo "@@ begin 2"
    section clock_started clock
    section system system
    section distribution distribution
    section virtualization ask systemd-detect-virt
    section system_state ask systemctl is-system-running
    section units units
    section tools tools
    section version_ipvsadm ipvsadm_version
    section version_keepalived ask keepalived --version
    section version_nft ask nft --version
    section version_iptables ask iptables --version
    section version_qemu-img ask qemu-img --version
    section version_python3 ask python3 --version
    section loaded loaded
    section builtin_modules builtin_modules
    section module_files module_files
    section redirected redirected
    section dry_run dry_run
    section kernel_options kernel_options
    section ipvs ipvs
    section writers writers
    section at_boot at_boot
    section sysctls sysctls
    section hardware hardware
    section cgroups cgroups
    section filesystems filesystems
    section writable writable
    section addresses ask_quietly ip -j addr
    section routes ask_quietly ip -j route show default
    section routes6 ask_quietly ip -j -6 route show default
    section bridges bridges
    section libvirt_qemu ask virsh -c qemu:///system 'version; pool-list --all --details'
    section libvirt_lxc ask virsh -c lxc:///system version
    section volume_groups lvm vgs -o vg_name,vg_size,vg_free
    section thin_pools lvm lvs -S segtype=thin-pool \
        -o vg_name,lv_name,lv_size,data_percent,metadata_percent
    section clock_ended clock
    echo "@@ end $count"
}
probe | head -c 4000000
