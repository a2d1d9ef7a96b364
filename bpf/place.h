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

struct place {
    u32 offset;
    u32 next;
    u32 kind;
    // Whether it is under an IPv6 header, so that extension headers may follow.
    u32 is_ipv6;
    // Whether a mirror's tunnel numbers its frames: then each must be seen, or its numbers have holes.
    u32 is_numbered;
    // Where the addresses of the innermost IP header stand so far, and how many words each has: 0, 1 or 4.
    u32 addresses;
    u32 address_words;
    // How many octets of UDP and its payload could be read: 8 or 16.
    u16 transport_kept;
    // The innermost UDP header with as much of its payload as tells what it is, or as much of a TCP header. What stands
    // before it is here too where that is Ethernet and a plain IPv4 header, so that one reading gets all.
    struct {
        u8 before[14 + 20];
        u8 transport[16];
    } headers;
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
