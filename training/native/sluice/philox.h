// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a counter and a key give four
// random words, so any draw can be made anywhere, again, and in any order. All chance of a training comes from here.
#pragma once
#include <cstdint>

namespace sluice {

struct PhiloxKey {
  uint32_t k0, k1;
};

/// Which use of chance a counter belongs to: the top byte of its last word.
enum PhiloxUse : uint32_t { kDropout = 1u << 24, kOrder = 2u << 24 };

/// N counters under one key, in place, word by word: c0[N] .. c3[N] become the words of N blocks.
template <int N>
static inline void philox(PhiloxKey key, uint32_t (&c0)[N], uint32_t (&c1)[N], uint32_t (&c2)[N], uint32_t (&c3)[N]) {
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < N; ++i) {
      const uint64_t p0 = uint64_t(0xD2511F53u) * c0[i];
      const uint64_t p1 = uint64_t(0xCD9E8D57u) * c2[i];
      const uint32_t x = uint32_t(p1 >> 32) ^ c1[i] ^ key.k0;
      const uint32_t y = uint32_t(p0 >> 32) ^ c3[i] ^ key.k1;
      c1[i] = uint32_t(p1);
      c3[i] = uint32_t(p0);
      c0[i] = x;
      c2[i] = y;
    }
    key.k0 += 0x9E3779B9u;
    key.k1 += 0xBB67AE85u;
  }
}

/// The order of an epoch as a keyed permutation of 0..n-1: a Feistel network over the next power of four, walked until
/// it lands below n. No array is kept, and any step of any epoch can be made from its number alone.
class Order {
public:
  Order(PhiloxKey key, uint64_t epoch, uint32_t n) : n_(n) {
    while (uint64_t(1) << (2 * half_) < n) ++half_;
    uint32_t c0[2], c1[2], c2[2], c3[2];
    for (int i = 0; i < 2; ++i) {
      c0[i] = uint32_t(epoch);
      c1[i] = uint32_t(epoch >> 32);
      c2[i] = i;
      c3[i] = kOrder;
    }
    philox<2>(key, c0, c1, c2, c3);
    for (int i = 0; i < 2; ++i) {
      const uint32_t words[4] = {c0[i], c1[i], c2[i], c3[i]};
      for (int w = 0; w < 4; ++w) keys_[4 * i + w] = words[w];
    }
  }
  uint32_t at(uint32_t position) const {
    uint32_t x = position;
    do x = permute(x);
    while (x >= n_);
    return x;
  }

private:
  uint32_t permute(uint32_t x) const {
    const uint32_t mask = half_ == 16 ? 0xFFFFu : (1u << half_) - 1;
    uint32_t left = x >> half_, right = x & mask;
    for (uint32_t key : keys_) {
      const uint32_t next = left ^ (mix(right ^ key) & mask);
      left = right;
      right = next;
    }
    return left << half_ | right;
  }
  static uint32_t mix(uint32_t x) { // finaliser of MurmurHash3
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
  }
  uint32_t n_;
  int half_ = 1;
  uint32_t keys_[8];
};

} // namespace sluice
