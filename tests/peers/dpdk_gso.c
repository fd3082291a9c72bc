/* Cuts TCP/IPv4 frames by DPDK's rte_gso, from standard input to standard output, until the input ends.
 *
 * In, each frame: its length (4 bytes), the longest segment with all of its headers (2), the lengths of its Ethernet, IP and TCP headers (2 each),
 * the frame. Out: the number of segments (4), and for each its length (4) and bytes; 0 segments where rte_gso leaves the frame alone, and a negative
 * number where it refuses. All numbers are the machine's own.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_gso.h>
#include <rte_mbuf.h>

enum { MOST_SEGMENTS = 8192, HEADERS_ROOM = RTE_PKTMBUF_HEADROOM + 512, FRAME_ROOM = UINT16_MAX };

struct question {
	uint32_t bytes;
	uint16_t segment, l2, l3, l4;
};

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "dpdk_gso: %s\n", what);
		exit(1);
	}
}

static struct rte_mempool *pool(const char *name, unsigned count, uint16_t room)
{
	struct rte_mempool *made = rte_pktmbuf_pool_create(name, count, 0, 0, room, SOCKET_ID_ANY);

	must(made != NULL, name);
	return made;
}

static void put(const void *data, size_t bytes)
{
	must(fwrite(data, 1, bytes, stdout) == bytes, "standard output");
}

int main(int argc, char **argv)
{
	static struct rte_mbuf *segments[MOST_SEGMENTS];
	struct question asked;

	must(rte_eal_init(argc, argv) >= 0, "no environment");
	struct rte_mempool *frames = pool("frames", 4, FRAME_ROOM);
	struct rte_gso_ctx gso = {
		.direct_pool = pool("headers", MOST_SEGMENTS, HEADERS_ROOM),
		.indirect_pool = pool("payload", MOST_SEGMENTS, 0),
		.gso_types = RTE_ETH_TX_OFFLOAD_TCP_TSO,
	};

	while (fread(&asked, sizeof asked, 1, stdin) == 1) {
		struct rte_mbuf *frame = rte_pktmbuf_alloc(frames);

		must(frame != NULL, "no buffer");
		char *data = rte_pktmbuf_append(frame, asked.bytes);

		must(data != NULL && fread(data, 1, asked.bytes, stdin) == asked.bytes, "standard input");
		frame->ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
		frame->l2_len = asked.l2;
		frame->l3_len = asked.l3;
		frame->l4_len = asked.l4;
		gso.gso_size = asked.segment;

		int32_t count = rte_gso_segment(frame, &gso, segments, MOST_SEGMENTS);

		put(&count, sizeof count);
		for (int32_t i = 0; i < count; i++) {
			put(&segments[i]->pkt_len, sizeof segments[i]->pkt_len);
			for (struct rte_mbuf *part = segments[i]; part != NULL; part = part->next)
				put(rte_pktmbuf_mtod(part, void *), part->data_len);
			rte_pktmbuf_free(segments[i]);
		}
		rte_pktmbuf_free(frame);
		fflush(stdout);
	}
	return 0;
}
