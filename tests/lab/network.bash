# The network of namespaces, what sends through it, and its faults: for scripts in this folder, which set `lab`, `out` and
# `seconds` and then source this.
# shellcheck shell=bash disable=SC2154

say() { printf 'lab: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 2
}

# Starts this script again, in namespaces of its own: $1 is its folder, and all are its arguments.
enter_namespaces() {
    ((EUID == 0)) || die "namespaces, mirrors and nftables need root"
    mkdir -p "$1"
    # When this process ends, by whatever, the kernel ends the next, and that one all others.
    HOPMARK_LAB=$1 setpriv --pdeathsig KILL \
        unshare --mount --pid --net --fork --kill-child --mount-proc "$0" "$@" &
    inside=$!
    trap 'exit 130' INT TERM HUP
    trap '{ kill -KILL "$inside" && wait "$inside"; } 2>/dev/null || true' EXIT
    wait "$inside"
}

# What everything else needs once it is in these namespaces.
settle() {
    trap 'say "line $LINENO of ${BASH_SOURCE[0]} failed: $BASH_COMMAND"' ERR
    # The names of network namespaces and all that programs write at fixed places go with this mount.
    mount -t tmpfs lab /run
    mkdir /run/lab
}

# A namespace that forwards, without IPv6 and its chatter.
add_space() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
    if [[ -e /proc/sys/net/ipv6 ]]; then
        ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    fi
}

# Brings an interface up that hands on packets as they were sent: not merged, with their checksums.
bring_up() {
    ip netns exec "$1" ethtool -K "$2" gro off gso off tso off tx off >/dev/null
    ip -n "$1" link set "$2" up
}

# Joins $1 and $3 with the addresses $2 and $4; each calls its interface by the name of the other.
join() {
    ip link add name "$3" netns "$1" type veth peer name "$1" netns "$3"
    ip -n "$1" address add "$2" dev "$3"
    ip -n "$3" address add "$4" dev "$1"
    bring_up "$1" "$3"
    bring_up "$3" "$1"
}

# A mirror port: what router $1 hears and sends on its interfaces $3... comes out at interface $2 of the monitor.
mirror() {
    local router=$1 port=$2 interface direction
    shift 2
    ip link add name "to-$port" netns "$router" type veth peer name "$port" netns monitor
    ip -n "$router" link set "to-$port" arp off
    bring_up monitor "$port"
    bring_up "$router" "to-$port"
    for interface; do
        tc -n "$router" qdisc add dev "$interface" clsact
        for direction in ingress egress; do
            tc -n "$router" filter add dev "$interface" "$direction" protocol all prio 1 \
                u32 match u32 0 0 action mirred egress mirror dev "to-$port"
        done
    done
}

build() {
    local space
    for space in client access core edge relay server monitor; do
        add_space "$space"
    done
    join client 10.20.1.10/24 access 10.20.1.1/24
    join access 10.20.255.1/30 core 10.20.255.2/30
    join core 10.20.255.5/30 edge 10.20.255.6/30
    join edge 203.0.113.1/24 relay 203.0.113.10/24
    join edge 198.51.100.1/24 server 198.51.100.10/24
    ip -n client route add default via 10.20.1.1
    ip -n access route add default via 10.20.255.2
    ip -n core route add default via 10.20.255.6
    ip -n core route add 10.20.1.0/24 via 10.20.255.1
    ip -n edge route add 10.20.0.0/16 via 10.20.255.5
    ip -n relay route add default via 203.0.113.1
    ip -n server route add default via 198.51.100.1

    for space in client server; do
        ip netns exec "$space" nft -f "$lab/host.nft"
        # Programs that take any port take one of the policy's audio range; the first two are ffmpeg's.
        ip netns exec "$space" sysctl -qw net.ipv4.ip_local_port_range="50002 50019"
    done

    mirror access access client
    mirror core core-lan access
    mirror core core-wan edge
    mirror edge edge-lan core
    mirror edge edge-wan relay server
}

# What routers do wrong, and count, from now on.
break_network() {
    ip netns exec core nft -f "$lab/core.nft"
    ip netns exec edge nft -f "$lab/edge.nft"
}

# The mirrors, in the order of the way out.
points=(access core-lan core-wan edge-lan edge-wan)

# Waits until the command succeeds, 30 seconds at most.
until_true() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if "$@"; then return; fi
        sleep 0.1
    done
    die "waited in vain for: $*"
}

# What sends, by the name of its log.
declare -A senders

# ffmpeg in namespace $1, log $2, to $3 with the options $4...
send() {
    local space=$1 log=$2 to=$3
    shift 3
    ip netns exec "$space" ffmpeg -nostdin -hide_banner -loglevel warning -re -f lavfi "$@" -t "$seconds" -f rtp "$to" \
        >"$out/$log.sdp" 2>"$out/$log.log" </dev/null &
    senders[$log]=$!
}

start_direct() {
    local audio=(-i 'sine=sample_rate=8000:samples_per_frame=160' -c:a pcm_mulaw)
    local video=(-i 'testsrc=size=320x240:rate=15' -c:v libx264 -preset ultrafast -tune zerolatency -g 30 -b:v 300k
        -pix_fmt yuv420p -payload_type 107)
    local client=rtp://10.20.1.10 server=rtp://198.51.100.10
    send client audio-out "$server:3479?localrtpport=50000&localrtcpport=50001&rtcpport=13479&dscp=46" "${audio[@]}"
    send server audio-back "$client:50000?localrtpport=3479&localrtcpport=13479&rtcpport=50001&dscp=46" "${audio[@]}"
    send client video-out "$server:3480?localrtpport=50020&localrtcpport=50021&rtcpport=13480&dscp=34" "${video[@]}"
    send server video-back "$client:50020?localrtpport=3480&localrtcpport=13480&rtcpport=50021&dscp=34" "${video[@]}"
}

start_relayed() {
    local python=${HOPMARK_LAB_PYTHON:-python3}
    ip netns exec relay turnserver -n --log-file=stdout --simple-log --pidfile=/run/lab/turnserver.pid \
        --userdb=/run/lab/turndb --listening-ip=203.0.113.10 --relay-ip=203.0.113.10 --listening-port=3478 \
        --min-port=53000 --max-port=53999 --lt-cred-mech --user=lab:lab --realm=lab.example \
        --no-tls --no-dtls --no-tcp --no-cli >"$out/turnserver.log" 2>&1 &
    until_true listens relay 3478
    ip netns exec server "$python" "$lab/call.py" server /run/lab "$seconds" >"$out/call-server.log" 2>&1 &
    senders[call-server]=$!
    ip netns exec client "$python" "$lab/call.py" client /run/lab "$seconds" turn:203.0.113.10:3478 \
        >"$out/call-client.log" 2>&1 &
    senders[call-client]=$!
}

# Whether something listens at UDP port $2 of namespace $1.
listens() { [[ -n $(ip netns exec "$1" ss -Hlun "sport = $2") ]]; }

# Which parts can be run here; the others are left out, aloud.
choose_parts() {
    parts=()
    if command -v ffmpeg >/dev/null; then
        parts+=(direct)
    else
        say "skipped: the calls between client and server; there is no ffmpeg"
    fi
    if command -v turnserver >/dev/null && "${HOPMARK_LAB_PYTHON:-python3}" -c 'import aiortc' 2>/dev/null; then
        parts+=(relayed)
    else
        say "skipped: the call over the relay; coturn, or Python with aiortc (HOPMARK_LAB_PYTHON), is not there"
    fi
    ((${#parts[@]})) || die "nothing to run"
}

start_senders() {
    local part
    for part in "${parts[@]}"; do
        "start_$part"
    done
}

# Waits for the ends of all calls. One that failed has proved nothing.
await_senders() {
    local log
    for log in "${!senders[@]}"; do
        if ! wait "${senders[$log]}"; then
            tail -n 10 "$out/$log.log" >&2
            die "$log failed; what programs said is in $out"
        fi
    done
}

# What nftables counted.
keep_counters() {
    local router
    for router in core edge; do
        ip netns exec "$router" nft -j list counters >"$out/counters-$router.json"
    done
}
