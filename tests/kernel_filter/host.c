//! Runs one of the programs over frames from standard input, and answers on standard output.
//
// A question is what to do and two numbers, of 32 bits each in the byte order of this machine. For RUN they are the
// octets of the packet, which follows, and its type as the kernel has it, 0 for a packet that leaves; the answer is
// the program's result. The answer to COUNT are the counters; all else has none.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include PROGRAM

enum { RUN, EXCLUDE, RELAY, SET, COUNT };

#ifdef SLOTS
static void set_ports(u64 *words, u32 first, u32 last) {
    for (u32 port = first; port <= last; port++) {
        words[port / 64] |= (u64)1 << port % 64;
    }
}
#endif

int main(void) {
    u32 question[3];
    while (fread(question, sizeof question, 1, stdin) == 1) {
        switch (question[0]) {
        case RUN: {
            // Exactly as large as the frame, so that a tool for the memory sees what is read beyond.
            u8 *data = malloc(question[1] ? question[1] : 1);
            if (!data || fread(data, 1, question[1], stdin) != question[1]) {
                return 1;
            }
            struct __sk_buff skb = {
                .len = question[1],
                .pkt_type = question[2] ? 0 : PACKET_OUTGOING,
                .protocol = question[2],
                .data = data,
            };
            u32 result = (u32)ENTRY(&skb);
            free(data);
            fwrite(&result, sizeof result, 1, stdout);
            break;
        }
#ifdef SLOTS
        case EXCLUDE:
            set_ports(EXCLUDED_UDP, question[1], question[2]);
            break;
        case RELAY:
            set_ports(RELAY_TCP, question[1], question[2]);
            break;
        case SET:
            PAYLOAD_OCTETS = question[1];
            KEEP_WHOLE = question[2];
            break;
        case COUNT:
            fwrite(&COUNTERS[65 % SLOTS], sizeof COUNTERS[0], 1, stdout);
            break;
#endif
        default:
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
