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
    u16 tags[2]; // outermost first
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

// Where the headers stand, and what was found so far.
struct place {
    const u8 *end;
    const u8 *ip;
    u32 offset; // of IP
    u32 tags;
    u16 tag[2];
    u32 is_ipv6;
    u32 udp;        // from the beginning of IP
    u32 octets;     // of IP
    u32 fragment;   // bits of a digest's kind
    u32 identification;
};

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

// Whether nothing is to be told behind the head.
ALWAYS_INLINE int is_short(const struct place *at, const u8 *rtp, u32 header, u32 payload) {
    if (header != 12 || at->fragment || at->udp == 48) {
        return 0;
    }
    return payload < FEWEST_OCTETS || (rtp + 12 + FEWEST_OCTETS <= at->end && !joins(rtp + 12));
}

ALWAYS_INLINE void tell_ip(struct digest *digest, const struct place *at) {
    digest->time = bpf_ktime_get_ns();
    if (at->is_ipv6) {
        UNROLLED for (u32 i = 0; i < 32; i += 8) {
            *(u64 *)(digest->addresses + i) = U64(at->ip + 8 + i);
        }
        digest->traffic_class = at->ip[0] << 4 | at->ip[1] >> 4;
        digest->ttl = at->ip[7];
        digest->kind = IS_IPV6 | at->tags << TAGS_SHIFT | at->fragment;
    } else {
        *(u32 *)digest->addresses = U32(at->ip + 12);
        *(u32 *)(digest->addresses + 4) = U32(at->ip + 16);
        digest->traffic_class = at->ip[1];
        digest->ttl = at->ip[8];
        digest->kind = at->tags << TAGS_SHIFT | at->fragment;
    }
    digest->tags[0] = at->tag[0];
    digest->tags[1] = at->tag[1];
    digest->octets = at->octets;
}

ALWAYS_INLINE void tell_rtp(struct digest *digest, const u8 *udp) {
    const u8 *rtp = udp + 8;
    digest->ports = U32(udp);
    digest->marker_type = rtp[1];
    digest->sequence = U16(rtp + 2);
    digest->timestamp = U32(rtp + 4);
    digest->ssrc = U32(rtp + 8);
}

// The first octets of the payload, of which there are so many.
ALWAYS_INLINE int tell_payload(struct xdp_md *xdp, struct digest *digest, const struct place *at, u32 header,
                               u32 payload) {
    const u8 *behind = at->ip + at->udp + 8 + 12;
    if (header == 12 && behind + PAYLOAD_OCTETS <= at->end) {
        // Also where the frame has more than the packet: whoever reads it knows how many octets there are.
        UNROLLED for (u32 i = 0; i < PAYLOAD_OCTETS; i += 8) {
            *(u64 *)(digest->payload + i) = U64(behind + i);
        }
        return 1;
    }
    if (payload < FEWEST_OCTETS) {
        return 1;
    }
    u32 octets = payload < PAYLOAD_OCTETS ? payload : PAYLOAD_OCTETS;
    return bpf_xdp_load_bytes(xdp, at->offset + at->udp + 8 + header, digest->payload, octets) == 0;
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
ALWAYS_INLINE int tell_later(const struct place *at, u32 wire) {
    struct digest *digest = bpf_ringbuf_reserve(&DIGESTS, sizeof *digest, 0);
    if (!digest) {
        return drop_untold();
    }
    tell_ip(digest, at);
    digest->ports = 0;
    digest->marker_type = 0;
    digest->sequence = 0;
    digest->timestamp = 0;
    digest->ssrc = 0;
    digest->wire_octets = wire;
    digest->payload_octets = 0;
    digest->identification = at->identification;
    bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
    return XDP_DROP;
}

// Tells the datagram, and drops the frame.
ALWAYS_INLINE int tell(struct xdp_md *xdp, const struct place *at) {
    u32 wire = bpf_xdp_get_buff_len(xdp);
    if (at->octets < at->udp || at->offset + at->octets > wire || wire > 0xFFFF) {
        return XDP_PASS;
    }
    if (at->fragment == IS_LATER_FRAGMENT) {
        return tell_later(at, wire);
    }
    const u8 *udp = at->ip + at->udp, *rtp = udp + 8;
    if (at->octets < at->udp + 20 || rtp + 12 > at->end) {
        return XDP_PASS;
    }
    u32 datagram = NETWORK16(U16(udp + 4)) - 8;
    u32 there = at->octets - at->udp - 8;
    u32 type = rtp[1] & 0x7F;
    if ((at->fragment ? datagram < there || datagram > 0xFFFF : datagram != there) || rtp[0] >> 6 != 2 ||
        (type >= 64 && type <= 95) || may_be_vxlan(udp) || is_excluded(udp)) {
        return XDP_PASS;
    }
    u32 header = 12;
    if (rtp[0] & 0x3F) {
        header = rtp_header(xdp, at->offset + at->udp + 8, rtp[0], datagram, there);
        if (!header) {
            return XDP_PASS;
        }
    }
    // Of the payload as much must be there as is told.
    if (at->fragment && there < header + PAYLOAD_OCTETS) {
        return XDP_PASS;
    }
    u32 payload = datagram - header;
    if (wire == at->offset + at->octets && is_short(at, rtp, header, payload)) {
        struct digest *digest = bpf_ringbuf_reserve(&DIGESTS, SHORT, 0);
        if (!digest) {
            return drop_untold();
        }
        tell_ip(digest, at);
        tell_rtp(digest, udp);
        bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
        return XDP_DROP;
    }
    struct digest *digest = bpf_ringbuf_reserve(&DIGESTS, sizeof *digest, 0);
    if (!digest) {
        return drop_untold();
    }
    tell_ip(digest, at);
    tell_rtp(digest, udp);
    digest->wire_octets = wire;
    digest->payload_octets = payload;
    digest->identification = at->identification;
    if (!tell_payload(xdp, digest, at, header, payload)) {
        bpf_ringbuf_discard(digest, BPF_RB_NO_WAKEUP);
        return XDP_PASS;
    }
    bpf_ringbuf_submit(digest, BPF_RB_NO_WAKEUP);
    return XDP_DROP;
}

ALWAYS_INLINE int ipv4(struct xdp_md *xdp, struct place *at) {
    const u8 *ip = at->ip;
    if (ip + 20 > at->end || ip[0] != 0x45 || ip[9] != 17) {
        return XDP_PASS;
    }
    at->udp = 20;
    at->octets = NETWORK16(U16(ip + 2));
    u16 place = U16(ip + 6);
    if (place & NETWORK16(0x3FFF)) {
        at->identification = NETWORK16(U16(ip + 4));
        at->fragment = place & NETWORK16(0x1FFF) ? IS_LATER_FRAGMENT : IS_FIRST_FRAGMENT;
    }
    return tell(xdp, at);
}

ALWAYS_INLINE int ipv6(struct xdp_md *xdp, struct place *at) {
    const u8 *ip = at->ip;
    if (ip + 40 > at->end || ip[0] >> 4 != 6) {
        return XDP_PASS;
    }
    at->is_ipv6 = 1;
    at->octets = 40 + NETWORK16(U16(ip + 4));
    if (at->octets > 0xFFFF) {
        return XDP_PASS;
    }
    if (ip[6] == 17) {
        at->udp = 40;
        return tell(xdp, at);
    }
    // RFC 8200, section 4.5. With offset 0 and nothing to come it is a whole packet (RFC 6946).
    if (ip[6] != 44 || ip + 48 > at->end || ip[40] != 17) {
        return XDP_PASS;
    }
    at->udp = 48;
    u16 place = U16(ip + 42);
    if (place & NETWORK16(0xFFF9)) {
        at->identification = NETWORK32(U32(ip + 44));
        at->fragment = place & NETWORK16(0xFFF8) ? IS_LATER_FRAGMENT : IS_FIRST_FRAGMENT;
    }
    return tell(xdp, at);
}

SECTION("xdp")
int digests(struct xdp_md *xdp) {
    const u8 *data = (const u8 *)(u64)xdp->data;
    struct place at = {.end = (const u8 *)(u64)xdp->data_end, .ip = data + 14, .offset = 14};
    if (at.ip + 20 > at.end) {
        return XDP_PASS;
    }
    u16 type = U16(at.ip - 2);
    UNROLLED for (u32 i = 0; i < 2; i++) {
        if (at.tags == i && is_tag(type)) {
            at.tag[i] = U16(at.ip);
            type = U16(at.ip + 2);
            at.ip += 4;
            APART(at.ip);
            at.offset += 4;
            at.tags = i + 1;
        }
    }
    switch (type) {
    case NETWORK16(0x0800):
        return ipv4(xdp, &at);
    case NETWORK16(0x86DD):
        return ipv6(xdp, &at);
    default:
        return XDP_PASS;
    }
}

LICENSE("MIT");
