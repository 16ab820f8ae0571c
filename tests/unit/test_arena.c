/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdalign.h>

#include "lib/base/arena.h"

Test(arena, gives_zeroed_memory_aligned_for_any_type)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	for (int round = 0; round < 2; round++) { /* the second round meets used blocks */
		for (size_t n = 1; n < 600; n += 7) {
			char *odd = arena_bytes(&a, 3), *p = arena_alloc(&a, n);

			cr_assert_not_null(odd);
			cr_assert_not_null(p);
			cr_assert_eq((uintptr_t)p % alignof(max_align_t), 0);
			for (size_t i = 0; i < n; i++)
				cr_assert_eq(p[i], 0);
			memset(p, 0xff, n);
			memset(odd, 0xff, 3);
		}
		arena_fini(&a);
	}
}

Test(arena, never_hands_out_the_same_byte_twice)
{
	struct arena a;
	unsigned char *p[200];

	arena_init(&a, 1 << 20);
	for (int i = 0; i < 200; i++) {
		size_t n = (size_t)(i * 37 % 5000) + 1;

		p[i] = i % 2 ? arena_alloc(&a, n) : (unsigned char *)arena_bytes(&a, n);
		cr_assert_not_null(p[i]);
		memset(p[i], i, n);
	}
	for (int i = 0; i < 200; i++)
		for (size_t k = 0; k < (size_t)(i * 37 % 5000) + 1; k++)
			cr_assert_eq(p[i][k], i);
	arena_fini(&a);
}

Test(arena, stops_at_its_ceiling_and_serves_again_after_fini)
{
	struct arena a;
	size_t got = 0;

	arena_init(&a, 10000);
	cr_assert_null(arena_bytes(&a, 10001));
	cr_assert_null(arena_bytes(&a, SIZE_MAX));
	while (arena_bytes(&a, 10) != NULL)
		got += 10;
	cr_assert_gt(got, 9900);
	cr_assert_leq(got, 10000);
	arena_fini(&a);
	cr_assert_not_null(arena_bytes(&a, 10000));
	cr_assert_null(arena_bytes(&a, 1));
	arena_fini(&a);
}

Test(arena, counts_what_alignment_and_full_blocks_lose)
{
	struct arena a;
	size_t n = 0;

	arena_init(&a, 16000);
	while (arena_alloc(&a, 1) != NULL)
		n++;
	cr_assert_leq(n, 1001); /* each byte takes the place of sixteen */
	arena_fini(&a);
}

Test(arena, refuses_sizes_no_memory_can_have)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	cr_assert_null(arena_alloc(&a, SIZE_MAX));
	cr_assert_null(arena_alloc(&a, SIZE_MAX - 8));
	arena_fini(&a);
}

Test(arena, copies_slices)
{
	struct arena a;
	struct str s;

	arena_init(&a, 20);
	s = arena_dup(&a, STR("abc"));
	cr_assert(str_eq(s, STR("abc")));
	cr_assert_eq(s.p[3], '\0');
	cr_assert_not_null(arena_dup(&a, STR_NONE).p);
	cr_assert_str_eq(arena_z(&a, STR("xyz")), "xyz");
	cr_assert_null(arena_dup(&a, STR("does not fit any more")).p);
	cr_assert_null(arena_z(&a, STR("does not fit any more")));
	arena_fini(&a);
}
