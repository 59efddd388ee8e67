# Looks at a machine and changes nothing: it reads files, asks tools for their version and
# daemons for their state. No module is loaded (`ipvsadm` loads ip_vs even for --version, so
# it is asked only where ip_vs is there already), no file is written.
#
# For `sh -s`, POSIX: dash, bash, busybox ash. The answer is framed, so that one that was cut
# is recognised: "@@ begin 1"; for each section "@@ NAME", its lines with one blank in front,
# "@@ rc CODE" after an empty line; last "@@ end NUMBER-OF-SECTIONS".
LC_ALL=C
export LC_ALL
exec 4>&1
count=0
release=$(uname -r)
login_path=$PATH
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# section LIMIT NAME COMMAND...: what the command says, at most LIMIT bytes of it.
section() {
    limit=$1 name=$2
    shift 2
    count=$((count + 1))
    printf '@@ %s\n' "$name"
    code=$({ {
        "$@" </dev/null 2>&1
        echo "$?" >&3
    } | head -c "$limit" | sed 's/^/ /' >&4; } 3>&1)
    printf '\n@@ rc %s\n' "${code:-1}"
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
first_lines() { ask "$@" 2>&1 | sed 3q; }

clock() { date '+%s %N'; }

system() {
    echo "sysname=$(uname -s)"
    echo "release=$release"
    echo "machine=$(uname -m)"
    echo "hostname=$(uname -n)"
    echo "uid=$(id -u)"
    echo "user=$(id -un)"
    echo "sudo_user=${SUDO_USER-}"
    echo "selinux=$(cat /sys/fs/selinux/enforce 2>/dev/null)"
    echo "apparmor=$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)"
    echo "modules_disabled=$(cat /proc/sys/kernel/modules_disabled 2>/dev/null)"
    if [ -d /run/systemd/system ]; then echo "init=systemd"; else echo "init=other"; fi
}

distribution() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release; }

# "in NAME FILE", or "out NAME FILE" for one that is not on the PATH of the console's commands.
tools() {
    for tool in timeout flock sync awk sha256sum gzip sysctl ip ipvsadm keepalived nft iptables \
        conntrack virsh qemu-img python3 curl sudo modprobe systemctl; do
        if where=$(PATH=$login_path command -v "$tool" 2>/dev/null); then
            echo "in $tool $where"
        elif where=$(command -v "$tool" 2>/dev/null); then
            echo "out $tool $where"
        fi
    done
}

units() {
    ask systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState \
        keepalived.service ipvsadm.service libvirtd.service libvirtd.socket \
        virtqemud.service virtqemud.socket nftables.service firewalld.service \
        chrony.service chronyd.service ntpsec.service ntpd.service systemd-timesyncd.service
}

ipvsadm_version() {
    if [ -e /proc/net/ip_vs ]; then
        first_lines ipvsadm --version
    elif has dpkg-query; then
        bounded dpkg-query -W -f '${Version}\n' ipvsadm
    else
        ask rpm -q --qf '%{VERSION}\n' ipvsadm
    fi
}

# "loaded NAME", "builtin NAME", "file NAME" for the modules that matter here.
modules() {
    wanted='(ip_vs[a-z0-9_]*|kvm[a-z_]*|ipip|ip_gre|fou|xt_ipvs|nf_tables|nf_conntrack|br_netfilter)'
    tree=/lib/modules/$release
    grep -E "^$wanted " /proc/modules 2>/dev/null | cut -d' ' -f1 | sed 's/^/loaded /'
    if [ -r "$tree/modules.builtin" ]; then
        echo "listed builtin"
        grep -E "/$wanted\.ko" "$tree/modules.builtin" | sed 's|.*/||; s|\.ko.*||; s/^/builtin /'
    fi
    if [ -r "$tree/modules.dep" ]; then
        echo "listed files"
        grep -E "^[^:]*/$wanted\.ko[^:]*:" "$tree/modules.dep" | cut -d: -f1 |
            while read -r path; do
                file=${path##*/}
                [ -e "$tree/$path" ] && echo "file ${file%%.ko*}"
            done
    fi
    return 0
}

# What modprobe would run instead of loading a module (modprobe.d(5), "install").
redirected() { ask modprobe -c 2>/dev/null | grep -E '^install +ip_vs'; }
dry_run() { ask modprobe -n -q ip_vs; }

# How this kernel was built, for one whose modules are not listed.
kernel_options() {
    if [ -r "/boot/config-$release" ]; then
        echo "listed"
        grep -E '^CONFIG_(IP_VS[A-Z_]*|MODULES)=' "/boot/config-$release"
    elif [ -r /proc/config.gz ] && has gzip; then
        echo "listed"
        gzip -dc /proc/config.gz | grep -E '^CONFIG_(IP_VS[A-Z_]*|MODULES)='
    fi
    return 0
}

ipvs() {
    [ -e /proc/net/ip_vs ] || return 1
    sed 1q /proc/net/ip_vs
    echo "conn_tab_bits=$(cat /sys/module/ip_vs/parameters/conn_tab_bits 2>/dev/null)"
    echo "services=$(bounded grep -c -E '^(TCP|UDP|SCTP|FWM) ' /proc/net/ip_vs)"
}

# Programs that write an IPVS table, in this network namespace.
writers() {
    here=$(readlink /proc/self/ns/net)
    for comm in $(grep -l -x -E 'keepalived|ldirectord|kube-proxy|kube-router|seesaw_[a-z]*|nanny' \
        /proc/[0-9]*/comm 2>/dev/null); do
        process=${comm%/comm}
        if [ "$(readlink "$process/ns/net")" = "$here" ]; then
            echo "${process#/proc/} $(cat "$comm")"
        fi
    done 2>/dev/null
}

counted() { if [ -r "$2" ]; then grep -c -E "$1" "$2"; else echo absent; fi; }
at_boot() {
    if [ -r /etc/default/ipvsadm ]; then grep -E '^(AUTO|DAEMON)=' /etc/default/ipvsadm; fi
    echo "debian_rules=$(counted '^-(A|-add-service)' /etc/ipvsadm.rules)"
    echo "rhel_rules=$(counted '^-(A|-add-service)' /etc/sysconfig/ipvsadm)"
    echo "keepalived_services=$(counted '^[[:space:]]*virtual_server' \
        /etc/keepalived/keepalived.conf)"
}

sysctls() {
    base=/proc/sys/net
    grep -H '' /proc/sys/net/ipv4/ip_forward $base/ipv6/conf/all/forwarding \
        $base/ipv6/conf/all/disable_ipv6 $base/netfilter/nf_conntrack_count \
        $base/netfilter/nf_conntrack_max $base/ipv4/vs/* \
        $base/ipv4/conf/*/rp_filter $base/ipv4/conf/*/arp_ignore \
        $base/ipv4/conf/*/arp_announce 2>/dev/null
}

hardware() {
    echo "cpus=$(cat /sys/devices/system/cpu/online)"
    echo "model=$(sed -n '/^model name/{s/^[^:]*: *//p;q;}' /proc/cpuinfo)"
    echo "flags=$(sed -n '/^flags/{p;q;}' /proc/cpuinfo | tr ' ' '\n' | grep -x -E 'vmx|svm')"
    grep -E '^(MemTotal|MemAvailable|SwapTotal|SwapFree):' /proc/meminfo | sed 's/: */=/'
    if [ ! -c /dev/kvm ]; then
        echo "kvm=absent"
    elif (exec 3<>/dev/kvm) 2>/dev/null; then
        echo "kvm=usable"
    else
        echo "kvm=refused"
    fi
    for nested in /sys/module/kvm_*/parameters/nested; do
        if [ -r "$nested" ]; then echo "nested=$(cat "$nested")"; fi
    done
}

cgroups() {
    grep -E ' cgroup2? ' /proc/mounts
    if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
        echo "controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
    fi
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
        ports=
        for port in "$device"/brif/*; do
            if [ -e "$port" ]; then ports="$ports ${port##*/}"; fi
        done
        echo "${device##*/}$ports"
    done
}

domain_types() {
    ask virsh -c qemu:///system capabilities 2>/dev/null |
        grep -o -E "<domain type='[a-z]+'" | sort -u
}

volume_groups() {
    ask_quietly vgs --noheadings --nosuffix --units b --separator '|' -o vg_name,vg_size,vg_free
}
thin_pools() {
    ask_quietly lvs --noheadings --nosuffix --units b --separator '|' \
        -o vg_name,lv_name,lv_size,data_percent,metadata_percent -S 'segtype=thin-pool'
}

echo "@@ begin 1"
section 100 clock_started clock
section 4000 system system
section 8000 distribution distribution
section 200 virtualization ask systemd-detect-virt
section 200 system_state ask systemctl is-system-running
section 8000 units units
section 4000 tools tools
section 1000 version_systemd first_lines systemctl --version
section 1000 version_ipvsadm ipvsadm_version
section 1000 version_keepalived first_lines keepalived --version
section 1000 version_nft first_lines nft --version
section 1000 version_iptables first_lines iptables --version
section 1000 version_conntrack first_lines conntrack --version
section 1000 version_qemu-img first_lines qemu-img --version
section 1000 version_python3 first_lines python3 --version
section 1000 version_curl first_lines curl --version
section 16000 modules modules
section 8000 redirected redirected
section 500 dry_run dry_run
section 8000 kernel_options kernel_options
section 1000 ipvs ipvs
section 4000 writers writers
section 1000 at_boot at_boot
section 400000 sysctls sysctls
section 2000 hardware hardware
section 16000 cgroups cgroups
section 4000 filesystems filesystems
section 500 writable writable
section 1000000 addresses ask_quietly ip -j addr
section 32000 routes ask_quietly ip -j route show default
section 32000 routes6 ask_quietly ip -j -6 route show default
section 64000 bridges bridges
section 8000 libvirt_qemu ask virsh -c qemu:///system version
section 8000 libvirt_lxc ask virsh -c lxc:///system version
section 64000 pools ask virsh -c qemu:///system pool-list --all --details
section 2000 domain_types domain_types
section 32000 volume_groups volume_groups
section 32000 thin_pools thin_pools
section 100 clock_ended clock
echo "@@ end $count"
