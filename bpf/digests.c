//! Digests: RTP in the commonest stacks, told in few octets and dropped at the driver.
//
// What is not known for certain goes up as it is: tunnels, more than two tags, options, TCP, STUN, RTCP. Of one stream
// all packets should go one way, or they would be taken in out of order; therefore all that an RTP header may announce
// is read here too, and fragments are told.
//
// Offsets into the frame are constants, apart for each stack: the kernel refuses others without CAP_PERFMON.
#include <kernel.h>

// A bit for each port, and whether there is any.
#define PORT_WORDS (0x10000 / 64)
SETTINGS(u64, EXCLUDED_UDP, PORT_WORDS);
SETTING(u32, HAS_EXCLUDED, 0);

// By which payloads streams are joined: the meter's own choice, whose numbers the loader sets.
SETTING(u64, CHOICE_PLUS, 0);
SETTING(u64, CHOICE_TIMES, 0);
SETTING(u32, CHOICE_BELOW, 0xFFFFFFFF);

// What is told of a packet. Of the frame as it stands there, but for time, lengths and kind. It ends before
// `wire_octets` where that follows from the rest, and where the payload joins nothing.
struct digest {
    u64 time;
    u8 addresses[32]; // the first 8 of IPv4
    u32 ports;
    u16 tags[2]; // the innermost last; of fewer, what stands there instead
    u16 octets;  // of the IP packet
    u8 traffic_class;
    u8 ttl;
    u8 kind;
    u8 marker_type;
    u16 sequence;
    u32 timestamp;
    u32 ssrc;
    u16 wire_octets;    // of the frame, this machine's order
    u16 payload_octets; // behind the RTP header, likewise
    u32 identification; // of a fragment, this machine's order
    u8 payload[32];
};
#define SHORT 64

// Of `kind`.
#define IS_IPV6 1
#define TAGS_SHIFT 1
#define IS_FIRST_FRAGMENT 8
#define IS_LATER_FRAGMENT 16

RING(DIGESTS, 1 << 16);

// One slot for each processor; processors beyond share them, which the atomic additions allow.
struct counters {
    u64 dropped;
    u64 unused[7];
};
#define SLOTS 64
ARRAY(COUNTERS, struct counters, SLOTS, BPF_F_MMAPABLE);

#define PAYLOAD_OCTETS 32
// With fewer, no stream is joined by them.
#define FEWEST_OCTETS 16

#define U16(at) (*(const u16 *)(at))
#define U32(at) (*(const u32 *)(at))
#define U64(at) (*(const u64 *)(at))
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NETWORK16(number) __builtin_bswap16(number)
#define NETWORK32(number) __builtin_bswap32(number)
#else
#define NETWORK16(number) (number)
#define NETWORK32(number) (number)
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE64(number) (number)
#else
#define LITTLE64(number) __builtin_bswap64(number)
#endif
// Clang would join what two ways add to a number that is one of two.
#define APART(pointer) __asm__ volatile("" : "+r"(pointer))
// Out of the way of what is common. Its arguments may be pointers into the frame.
#define SELDOM __attribute__((noinline)) static

ALWAYS_INLINE int is_tag(u16 type) {
    switch (type) {
    case NETWORK16(0x8100):
    case NETWORK16(0x88A8):
    case NETWORK16(0x9100):
    case NETWORK16(0x9200):
    case NETWORK16(0x9300):
        return 1;
    default:
        return 0;
    }
}

#define IS_PORT_OF(ports, port) (ports[(port) / 64] >> ((port) & 63) & 1)

ALWAYS_INLINE int is_excluded(const u8 *udp) {
    u32 source = NETWORK16(U16(udp)), destination = NETWORK16(U16(udp + 2));
    return HAS_EXCLUDED && (IS_PORT_OF(EXCLUDED_UDP, source) || IS_PORT_OF(EXCLUDED_UDP, destination));
}

// Octets of an RTP header that begins so, at the offset, in a datagram that carries so many, of which so many are in
// the frame; 0 where what it announces does not fit (RFC 3550, section 5.1).
ALWAYS_INLINE u32 rtp_header(struct xdp_md *xdp, u32 offset, u32 first, u32 datagram, u32 there) {
    u32 octets = 12 + (first & 0x0F) * 4;
    if (first & 0x10) {
        u16 extension[2];
        if (octets + 4 > there || bpf_xdp_load_bytes(xdp, offset + octets, extension, sizeof extension)) {
            return 0;
        }
        octets += 4 + NETWORK16(extension[1]) * 4;
    }
    return octets + (first >> 5 & 1) <= datagram ? octets : 0;
}

// VXLAN with a group policy begins like RTP with eight sources.
ALWAYS_INLINE int is_vxlan_port(u32 port) { return port == 4789 || port == 8472 || port == 4790; }

ALWAYS_INLINE int may_be_vxlan(const u8 *udp) {
    return udp[8] == 0x88 && (is_vxlan_port(NETWORK16(U16(udp))) || is_vxlan_port(NETWORK16(U16(udp + 2))));
}

// Whether streams are joined by a payload of 16 octets or more: by the latter eight of these.
ALWAYS_INLINE int joins(const u8 *payload) {
    u64 word = LITTLE64(U64(payload + 8));
    return (u32)((word + CHOICE_PLUS) * CHOICE_TIMES >> 32) < CHOICE_BELOW;
}

// Octets before IP.
ALWAYS_INLINE u32 link_octets(u32 tags) { return 14 + 4 * tags; }

ALWAYS_INLINE u32 ip_octets(const u8 *ip, int is_ipv6) {
    return is_ipv6 ? 40 + NETWORK16(U16(ip + 4)) : NETWORK16(U16(ip + 2));
}

ALWAYS_INLINE void tell_ip(struct digest *digest, const u8 *ip, int is_ipv6, u32 kind) {
    digest->time = bpf_ktime_get_ns();
    if (is_ipv6) {
        UNROLLED for (u32 i = 0; i < 32; i += 8) {
            *(u64 *)(digest->addresses + i) = U64(ip + 8 + i);
        }
        digest->traffic_class = ip[0] << 4 | ip[1] >> 4;
        digest->ttl = ip[7];
        digest->kind = IS_IPV6 | kind;
    } else {
        *(u32 *)digest->addresses = U32(ip + 12);
        *(u32 *)(digest->addresses + 4) = U32(ip + 16);
        digest->traffic_class = ip[1];
        digest->ttl = ip[8];
        digest->kind = kind;
    }
    // Before the type that says IP stands the innermost tag, if there is one.
    digest->tags[0] = U16(ip - 8);
    digest->tags[1] = U16(ip - 4);
    digest->octets = ip_octets(ip, is_ipv6);
}

ALWAYS_INLINE void tell_rtp(struct digest *digest, const u8 *udp) {
    const u8 *rtp = udp + 8;
    digest->ports = U32(udp);
    digest->marker_type = rtp[1];
    digest->sequence = U16(rtp + 2);
    digest->timestamp = U32(rtp + 4);
    digest->ssrc = U32(rtp + 8);
}

ALWAYS_INLINE int drop_untold(void) {
    u32 slot = bpf_get_smp_processor_id() % SLOTS;
    struct counters *counters = ARRAY_AT(COUNTERS, slot);
    if (counters) {
        ADD(counters->dropped, 1);
    }
    return XDP_DROP;
}

// Tells a fragment that has no ports, and drops the frame.
ALWAYS_INLINE int tell_later(const u8 *ip, u32 wire, u32 tags, int is_ipv6, u32 identification) {
    struct digest *digest = bpf_ringbuf_reserve(&DIGESTS, sizeof *digest, 0);
    if (!digest) {
        return drop_untold();
    }
    tell_ip(digest, ip, is_ipv6, IS_LATER_FRAGMENT | tags << TAGS_SHIFT);
    digest->ports = 0;
    digest->marker_type = 0;
    digest->sequence = 0;
    digest->timestamp = 0;
    digest->ssrc = 0;
    digest->wire_octets = wire;
    digest->payload_octets = 0;
    digest->identification = identification;
    bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
    return XDP_DROP;
}

// Whether a datagram of which so many octets are there behind the UDP header may be told, its RTP header being there.
ALWAYS_INLINE int may_be_told(const u8 *udp) {
    u32 type = udp[9] & 0x7F;
    return udp[8] >> 6 == 2 && (type < 64 || type > 95) && !may_be_vxlan(udp) && !is_excluded(udp);
}

// Tells any datagram, or fragment of one, and drops the frame, which has room for IP.
ALWAYS_INLINE int tell_any(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags, int is_ipv6,
                           u32 udp_at) {
    u32 octets = ip_octets(ip, is_ipv6), fragment = 0, identification = 0;
    if (octets < udp_at || link_octets(tags) + octets > wire) {
        return XDP_PASS;
    }
    if (!is_ipv6 && U16(ip + 6) & NETWORK16(0x3FFF)) {
        fragment = U16(ip + 6) & NETWORK16(0x1FFF) ? IS_LATER_FRAGMENT : IS_FIRST_FRAGMENT;
        identification = NETWORK16(U16(ip + 4));
    }
    // RFC 8200, section 4.5. With offset 0 and nothing to come it is a whole packet (RFC 6946).
    if (udp_at == 48 && U16(ip + 42) & NETWORK16(0xFFF9)) {
        fragment = U16(ip + 42) & NETWORK16(0xFFF8) ? IS_LATER_FRAGMENT : IS_FIRST_FRAGMENT;
        identification = NETWORK32(U32(ip + 44));
    }
    if (fragment == IS_LATER_FRAGMENT) {
        return tell_later(ip, wire, tags, is_ipv6, identification);
    }
    const u8 *udp = ip + udp_at, *rtp = udp + 8;
    if (octets < udp_at + 20 || rtp + 12 > end || !may_be_told(udp)) {
        return XDP_PASS;
    }
    u32 datagram = NETWORK16(U16(udp + 4)) - 8;
    u32 there = octets - udp_at - 8;
    if (fragment ? datagram < there || datagram > 0xFFFF : datagram != there) {
        return XDP_PASS;
    }
    u32 rtp_offset = link_octets(tags) + udp_at + 8;
    u32 header = rtp_header(xdp, rtp_offset, rtp[0], datagram, there);
    // Of the payload of a fragment as much must be there as is told.
    if (!header || (fragment && there < header + PAYLOAD_OCTETS)) {
        return XDP_PASS;
    }
    struct digest *digest = bpf_ringbuf_reserve(&DIGESTS, sizeof *digest, 0);
    if (!digest) {
        return drop_untold();
    }
    tell_ip(digest, ip, is_ipv6, fragment | tags << TAGS_SHIFT);
    tell_rtp(digest, udp);
    u32 payload = datagram - header;
    digest->wire_octets = wire;
    digest->payload_octets = payload;
    digest->identification = identification;
    if (payload >= FEWEST_OCTETS) {
        u32 told = payload < PAYLOAD_OCTETS ? payload : PAYLOAD_OCTETS;
        if (bpf_xdp_load_bytes(xdp, rtp_offset + header, digest->payload, told)) {
            bpf_ringbuf_discard(digest, BPF_RB_NO_WAKEUP);
            return XDP_PASS;
        }
    }
    bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
    return XDP_DROP;
}

SELDOM int tell_any_ipv4(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    return ip + 20 > end ? XDP_PASS : tell_any(xdp, ip, end, wire, tags, 0, 20);
}

SELDOM int tell_any_ipv6(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    return ip + 40 > end ? XDP_PASS : tell_any(xdp, ip, end, wire, tags, 1, 40);
}

SELDOM int tell_fragment_of_ipv6(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    return ip + 48 > end || ip[40] != 17 ? XDP_PASS : tell_any(xdp, ip, end, wire, tags, 1, 48);
}

// The commonest packet: whole, and its RTP header announces nothing. Without CAP_PERFMON the kernel has the processor
// wait at whatever is put on the stack; therefore no more is kept in mind here than there are registers for. False for
// all others, of which nothing was told.
ALWAYS_INLINE int tell_plain(const u8 *ip, const u8 *end, u32 wire, u32 tags, int is_ipv6, int *action) {
    const u8 *udp = ip + (is_ipv6 ? 40 : 20), *rtp = udp + 8;
    u32 octets = ip_octets(ip, is_ipv6), headers = is_ipv6 ? 60 : 40;
    if (rtp + 12 + FEWEST_OCTETS > end || octets < headers + FEWEST_OCTETS || rtp[0] != 0x80 ||
        link_octets(tags) + octets > wire || NETWORK16(U16(udp + 4)) != octets - (is_ipv6 ? 40 : 20) ||
        !may_be_told(udp)) {
        return 0;
    }
    struct digest *digest;
    if (link_octets(tags) + octets == wire && !joins(rtp + 12)) {
        digest = bpf_ringbuf_reserve(&DIGESTS, SHORT, 0);
        if (digest) {
            tell_ip(digest, ip, is_ipv6, tags << TAGS_SHIFT);
            tell_rtp(digest, udp);
            bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
            *action = XDP_DROP;
            return 1;
        }
    } else {
        if (rtp + 12 + PAYLOAD_OCTETS > end) {
            return 0;
        }
        digest = bpf_ringbuf_reserve(&DIGESTS, sizeof *digest, 0);
        if (digest) {
            tell_ip(digest, ip, is_ipv6, tags << TAGS_SHIFT);
            tell_rtp(digest, udp);
            digest->wire_octets = wire;
            digest->payload_octets = ip_octets(ip, is_ipv6) - headers;
            digest->identification = 0;
            // Also where the frame has more than the packet: whoever reads it knows how many octets there are.
            UNROLLED for (u32 i = 0; i < PAYLOAD_OCTETS; i += 8) {
                *(u64 *)(digest->payload + i) = U64(rtp + 12 + i);
            }
            bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
            *action = XDP_DROP;
            return 1;
        }
    }
    *action = drop_untold();
    return 1;
}

ALWAYS_INLINE int ipv4(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    int action;
    if (ip + 20 > end || ip[0] != 0x45 || ip[9] != 17) {
        return XDP_PASS;
    }
    if (!(U16(ip + 6) & NETWORK16(0x3FFF)) && tell_plain(ip, end, wire, tags, 0, &action)) {
        return action;
    }
    return tell_any_ipv4(xdp, ip, end, wire, tags);
}

ALWAYS_INLINE int ipv6(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    int action;
    if (ip + 40 > end || ip[0] >> 4 != 6 || ip_octets(ip, 1) > 0xFFFF) {
        return XDP_PASS;
    }
    switch (ip[6]) {
    case 17:
        return tell_plain(ip, end, wire, tags, 1, &action) ? action : tell_any_ipv6(xdp, ip, end, wire, tags);
    case 44:
        return tell_fragment_of_ipv6(xdp, ip, end, wire, tags);
    default:
        return XDP_PASS;
    }
}

ALWAYS_INLINE int by_type(struct xdp_md *xdp, const u8 *ip, const u8 *end, u32 wire, u32 tags) {
    switch (U16(ip - 2)) {
    case NETWORK16(0x0800):
        return ipv4(xdp, ip, end, wire, tags);
    case NETWORK16(0x86DD):
        return ipv6(xdp, ip, end, wire, tags);
    default:
        return XDP_PASS;
    }
}

SECTION("xdp")
int digests(struct xdp_md *xdp) {
    u32 wire = bpf_xdp_get_buff_len(xdp);
    const u8 *ip = (const u8 *)(u64)xdp->data + 14, *end = (const u8 *)(u64)xdp->data_end;
    if (ip + 8 > end || wire > 0xFFFF) {
        return XDP_PASS;
    }
    u32 tags = 0;
    if (is_tag(U16(ip - 2))) {
        ip += 4;
        APART(ip);
        tags = 1;
        if (is_tag(U16(ip - 2))) {
            ip += 4;
            APART(ip);
            tags = 2;
        }
    }
    return by_type(xdp, ip, end, wire, tags);
}

LICENSE("MIT");
