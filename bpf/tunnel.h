//! Tunnels: GRE with what mirrors put behind it, and those over UDP.
#pragma once
#include "link.h"

#define ERSPAN_1_2 0x88BE
#define ERSPAN_3 0x22EB

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_ACKNOWLEDGEMENT 0x0080

// ERSPAN II and III (draft-foschiano-erspan).
ALWAYS_INLINE enum outcome erspan(struct __sk_buff *skb, struct place *at, int has_sequence) {
    u8 b[12];
    if (!load(skb, at->offset, b, 4)) {
        return UNKNOWN;
    }
    at->is_numbered |= has_sequence;
    if (b[0] >> 4 == 1) {
        return on(at, AT_ETHERNET, 8);
    }
    if (b[0] >> 4 != 2 || !load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    // The last bit says that there is a platform header; frame type 2 is IP.
    u32 octets = b[11] & 1 ? 20 : 12;
    return on(at, (b[10] >> 2 & 0x1F) == 2 ? AT_IP : AT_ETHERNET, octets);
}

// Version 0 (RFC 2784, 2890), and PPTP's version 1 (RFC 2637).
ALWAYS_INLINE enum outcome gre(struct __sk_buff *skb, struct place *at) {
    u8 b[4];
    if (!load(skb, at->offset, b, sizeof b)) {
        return UNKNOWN;
    }
    u32 flags = be16(b);
    u32 kind = be16(b + 2);
    u32 octets = 4;
    switch (flags & 7) {
    case 0:
        if (flags & GRE_ROUTING) {
            return UNKNOWN;
        }
        octets += (flags & GRE_CHECKSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0);
        break;
    case 1:
        // Without a sequence number there is an acknowledgement and nothing else.
        if (!(flags & GRE_SEQUENCE)) {
            return NOT_IP;
        }
        octets += 4 + (flags & GRE_ACKNOWLEDGEMENT ? 4 : 0);
        break;
    default:
        return UNKNOWN;
    }
    int has_sequence = (flags & GRE_SEQUENCE) != 0;
    octets += has_sequence ? 4 : 0;
    advance(at, octets);
    switch (kind) {
    case ERSPAN_1_2:
        return has_sequence ? erspan(skb, at, has_sequence) : on(at, AT_ETHERNET, 0);
    case ERSPAN_3:
        return erspan(skb, at, has_sequence);
    case 0x883E: // WCCP: version 2 puts four octets before IP, version 1 none
        return load(skb, at->offset, b, 1) ? on(at, AT_IP, b[0] >> 4 == 4 ? 0 : 4) : UNKNOWN;
    case 0x8949:            // a mirror of Mellanox switches
    case 0x8200 ... 0x8370: // 802.11 of Aruba's access points
        return UNKNOWN;
    default:
        return on_type(at, kind, 0);
    }
}

ALWAYS_INLINE int has_port(const u8 *udp, u32 port) { return be16(udp) == port || be16(udp + 2) == port; }

// Octets of the payload by the header; nothing where segmentation offload left no length.
ALWAYS_INLINE u32 udp_payload(const u8 *udp) {
    u32 octets = be16(udp + 4);
    return octets < 8 ? 0 : octets - 8;
}

ALWAYS_INLINE enum outcome vxlan(struct place *at, const u8 *b) {
    u32 extension = be32(b) & 0xFFFFFF;
    if (b[7] != 0) {
        return UDP;
    }
    switch (b[0]) {
    case 0x08:
        return extension == 0 ? on(at, AT_ETHERNET, 16) : UDP;
    case 0x88: // a group policy
        return (b[1] & 0xB7) == 0 ? on(at, AT_ETHERNET, 16) : UDP;
    case 0x0C: // a protocol (GPE)
        if (extension > 0xFF || by_nsh_protocol(at, b[3], 0) == UNKNOWN) {
            return UDP;
        }
        advance(at, 16);
        return GOES_ON;
    default:
        return UDP;
    }
}

ALWAYS_INLINE enum outcome geneve(struct place *at, const u8 *b) {
    u32 kind = be16(b + 2);
    u32 octets = 8 + (b[0] & 0x3F) * 4;
    if (b[0] >> 6 != 0 || (b[1] & 0x3F) != 0 || b[7] != 0 || octets > udp_payload(at->transport)) {
        return UDP;
    }
    switch (kind) {
    case ETHERTYPE_TRANSPARENT:
    case ETHERTYPE_IPV4:
    case ETHERTYPE_IPV6:
    case ETHERTYPE_MPLS:
    case ETHERTYPE_NSH:
        return on_type(at, kind, 8 + octets);
    default:
        return UDP;
    }
}

// User packets without extension headers; those are left to the decoder.
ALWAYS_INLINE enum outcome gtpu(struct __sk_buff *skb, struct place *at, const u8 *b) {
    u8 c[4];
    if (b[0] >> 3 != 6 || b[1] != 255 || be16(b + 2) + 8 > udp_payload(at->transport)) {
        return UDP;
    }
    u32 octets = 16;
    if (b[0] & 7) {
        octets = 20;
        if (!load(skb, at->offset + 16, c, sizeof c) || (b[0] & 4 && c[3] != 0)) {
            return UDP;
        }
    }
    if (!load(skb, at->offset + octets, c, 1)) {
        return UDP;
    }
    if (c[0] >> 4 == 4 || c[0] >> 4 == 6) {
        return on(at, AT_IP, octets);
    }
    return like_ethernet(skb, at->offset + octets) == LIKE ? on(at, AT_ETHERNET, octets) : UDP;
}

// TZSP around Ethernet, with no tag but the one that ends them.
ALWAYS_INLINE enum outcome tzsp(struct place *at, const u8 *b) {
    return b[0] == 1 && b[1] <= 1 && be16(b + 2) == 1 && b[4] == 1 ? on(at, AT_ETHERNET, 13) : UDP;
}

#define VXLAN 4789
#define VXLAN_OF_LINUX 8472
#define VXLAN_WITH_PROTOCOL 4790
#define GENEVE 6081
#define GTPU 2152
#define TZSP 37008

// Whether a port suggests a tunnel, and the first octets do not deny it: none begins like RTP, except VXLAN with a
// group policy, and STUN on such a port is STUN.
ALWAYS_INLINE int may_be_tunnel(const u8 *udp) {
    const u8 *b = udp + 8;
    if ((b[0] >> 6 == 2 && b[0] != 0x88) || be32(b + 4) == 0x2112A442) {
        return 0;
    }
    return has_port(udp, VXLAN) || has_port(udp, VXLAN_OF_LINUX) || has_port(udp, VXLAN_WITH_PROTOCOL) ||
           has_port(udp, GENEVE) || has_port(udp, GTPU) || has_port(udp, TZSP);
}

// What the datagram at the place carries, where a port suggests a tunnel and the header proves it.
ALWAYS_INLINE enum outcome udp_tunnel(struct __sk_buff *skb, struct place *at) {
    const u8 *udp = at->transport;
    const u8 *b = udp + 8;
    // What is read of it always has room for both; a tunnel with less holds nothing.
    if (at->transport_kept < 16 || !may_be_tunnel(udp)) {
        return UDP;
    }
    if (has_port(udp, VXLAN) || has_port(udp, VXLAN_OF_LINUX) || has_port(udp, VXLAN_WITH_PROTOCOL)) {
        return vxlan(at, b);
    }
    if (has_port(udp, GENEVE)) {
        return geneve(at, b);
    }
    return has_port(udp, GTPU) ? gtpu(skb, at, b) : tzsp(at, b);
}
