//! Sends calls from within the kernel: one packet of a stream each time that it runs.
//
// The kernel runs it again and again over a page that it hands to an interface each time. All of a frame that differs
// from one packet to the next is written anew; the rest stands in the page, as a packet of a call from 10.1.0.0/16 to
// 52.112.0.0/16.
#include <kernel.h>

static long (*const bpf_redirect)(u32 interface, u64 flags) = (void *)23;

SETTING(u32, INTERFACE, 0);
SETTING(u32, STREAMS, 1);

// How many were sent.
ARRAY(SENT, u64, 1, 0);

#define U16(at) (*(u16 *)(at))
#define U32(at) (*(u32 *)(at))
#define XDP_ABORTED 0
// Has no divisor in common with any number of streams that is not a multiple of it.
#define STEP 7919

// A number that says nothing of the one that it is made of.
ALWAYS_INLINE u32 scattered(u32 number) {
    u32 mixed = (number ^ 0x5BD1E995) * 0x9E3779B1;
    return (mixed ^ mixed >> 15) * 0x85EBCA77;
}

SECTION("xdp")
int generator(struct xdp_md *xdp) {
    u8 *frame = (u8 *)(u64)xdp->data, *end = (u8 *)(u64)xdp->data_end;
    u32 first = 0;
    u64 *sent = ARRAY_AT(SENT, first);
    if (!sent || frame + 214 > end) {
        return XDP_ABORTED;
    }
    u64 number = (*sent)++;
    // Each stream once in a round, in another order than in the round before.
    u32 round = number / STREAMS;
    u32 stream = ((number % STREAMS) * STEP + scattered(round)) % STREAMS;
    u8 *ip = frame + 14, *udp = ip + 20, *rtp = udp + 8;
    U16(ip + 14) = __builtin_bswap16(stream);
    U16(ip + 18) = __builtin_bswap16(stream);
    U16(udp) = __builtin_bswap16(50000 + (stream >> 16) * 2);
    U16(rtp + 2) = __builtin_bswap16(scattered(stream) + round);
    U32(rtp + 4) = __builtin_bswap32(scattered(stream + 7) + round * 160);
    U32(rtp + 8) = scattered(stream + 13);
    u32 word = scattered(number);
    UNROLLED for (u32 i = 0; i < 32; i += 4) {
        word = scattered(word);
        U32(rtp + 12 + i) = word;
    }
    return bpf_redirect(INTERFACE, 0);
}

LICENSE("MIT");
