//! Where a walk over the headers of a frame stands, and how it reads.
#pragma once

// What stands at the offset, and is read next.
enum next {
    AT_ETHERNET,
    AT_TYPE,       // what `kind` names as an EtherType
    AT_IP,         // IPv4 or IPv6, told by the version
    AT_PROTOCOL,   // what `kind` names as a protocol number
    AT_MPLS,
    AT_PPP,
};

// How a step, or the walk, ended.
enum outcome {
    GOES_ON,
    UDP,            // the offset is that of the header
    TCP,            // likewise
    LATER_FRAGMENT, // the offset is behind the IP headers
    EXCLUDED_PORT,  // the offset is that of the UDP header
    NOT_IP,
    OTHER_PROTOCOL,
    UNKNOWN,        // cut, malformed, or not followed: only the decoder can tell
};

// All of 16 bits, so that there is no padding, which nobody would set: offsets stay far below 64 KiB, as the longest
// header has some 2 KiB, and the walk ends after some.
struct place {
    union {
        struct {
            u16 offset;
            u16 next;
            u16 kind;
            // Whether it is under an IPv6 header, so that extension headers may follow.
            u16 is_ipv6;
            // Whether a mirror's tunnel numbers its frames: then each must be seen, or its numbers have holes.
            u16 is_numbered;
            // Where the addresses of the innermost IP header stand so far, and how many words each has: 0, 1 or 4.
            u16 addresses;
            u16 address_words;
            // How many octets of UDP and its payload could be read: 8 or 16.
            u16 transport_kept;
        };
        // Before the walk begins: a plain IPv4 header, so that one reading gets all.
        u8 ipv4[20];
    };
    // The innermost UDP header with as much of its payload as tells what it is, or as much of a TCP header.
    u8 transport[16];
};

// The beginning of a frame.
struct frame {
    u8 link[14];
    struct place at;
};

ALWAYS_INLINE u32 be16(const u8 *at) { return (u32)at[0] << 8 | at[1]; }

ALWAYS_INLINE u32 be32(const u8 *at) { return be16(at) << 16 | be16(at + 2); }

ALWAYS_INLINE void advance(struct place *at, u32 octets) { at->offset += octets; }

ALWAYS_INLINE enum outcome on(struct place *at, enum next next, u32 octets) {
    advance(at, octets);
    at->next = next;
    return GOES_ON;
}

ALWAYS_INLINE enum outcome on_type(struct place *at, u32 kind, u32 octets) {
    at->kind = kind;
    return on(at, AT_TYPE, octets);
}

ALWAYS_INLINE int load(struct __sk_buff *skb, u32 offset, void *to, u32 octets) {
    return bpf_skb_load_bytes(skb, offset, to, octets) == 0;
}
