// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a counter and a key give four
// random words, so any draw can be made anywhere, again, and in any order. All chance of a training comes from here.
#pragma once
#include "shape.h"
#include <cstdint>

namespace sluice {

struct PhiloxKey {
  uint32_t k0, k1;
};

/// Which use of chance a counter belongs to: the top byte of its last word.
enum PhiloxUse : uint32_t { kDropout = 1u << 24, kOrder = 2u << 24 };

/// A counter under a key becomes a block, in place. A word is a number, or a vector of them for many counters at a time;
/// `product(a, m, low, high)` multiplies words by a number into their low and high halves.
template <class Word, class Product>
SLU_INLINE void philox(PhiloxKey key, Word (&c)[4], const Product &product) {
  for (int round = 0; round < 10; ++round) {
    Word low0, high0, low1, high1;
    product(c[0], 0xD2511F53u, low0, high0);
    product(c[2], 0xCD9E8D57u, low1, high1);
    c[0] = high1 ^ c[1] ^ key.k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ key.k1;
    c[3] = low0;
    key.k0 += 0x9E3779B9u;
    key.k1 += 0xBB67AE85u;
  }
}

/// One counter.
SLU_INLINE void philox(PhiloxKey key, uint32_t (&c)[4]) {
  philox(key, c, [](uint32_t a, uint32_t m, uint32_t &low, uint32_t &high) {
    const uint64_t product = uint64_t(a) * m;
    low = uint32_t(product);
    high = uint32_t(product >> 32);
  });
}

/// The order of an epoch as a keyed permutation of 0..n-1: a Feistel network over the next power of four, walked until
/// it lands below n. No array is kept, and any step of any epoch can be made from its number alone.
class Order {
public:
  SLU_INLINE Order(PhiloxKey key, uint64_t epoch, uint32_t n) : n_(n) {
    while (uint64_t(1) << (2 * half_) < n) ++half_;
    for (uint32_t i = 0; i < 2; ++i) {
      uint32_t block[4] = {uint32_t(epoch), uint32_t(epoch >> 32), i, kOrder};
      philox(key, block);
      for (int word = 0; word < 4; ++word) keys_[4 * i + word] = block[word];
    }
  }
  SLU_INLINE uint32_t at(uint32_t position) const {
    uint32_t x = position;
    do x = permute(x);
    while (x >= n_);
    return x;
  }

private:
  SLU_INLINE uint32_t permute(uint32_t x) const {
    const uint32_t mask = half_ == 16 ? 0xFFFFu : (1u << half_) - 1;
    uint32_t left = x >> half_, right = x & mask;
    for (uint32_t key : keys_) {
      const uint32_t next = left ^ (mix(right ^ key) & mask);
      left = right;
      right = next;
    }
    return left << half_ | right;
  }
  SLU_INLINE static uint32_t mix(uint32_t x) { // finaliser of MurmurHash3
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
  }
  uint32_t n_;
  int half_ = 1;
  uint32_t keys_[8];
};

} // namespace sluice
