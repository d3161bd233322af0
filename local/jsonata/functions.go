package jsonata

import (
	"crypto/md5"  // one of the algorithms of $hash
	"crypto/sha1" // one of the algorithms of $hash
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"time"
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Uint64 == nil {
		o.Uint64 = rand.Uint64
	}
	if o.TimeLimit == 0 {
		o.TimeLimit = defaultTimeLimit
	}
	return o
}

// host is what glue.js asks of Go.
func (r *runtime) host() map[string]any {
	return map[string]any{
		"hash":   hashText,
		"random": func() float64 { return unit(r.options.Uint64()) },
		"seeded": seeded,
		"uuid":   func() string { return uuid(r.options.Uint64(), r.options.Uint64()) },
	}
}

// hashText is the hexadecimal hash of text, or "" for an algorithm that $hash does not have.
func hashText(text, algorithm string) string {
	var h hash.Hash
	switch algorithm {
	case "MD5":
		h = md5.New()
	case "SHA-1":
		h = sha1.New()
	case "SHA-256":
		h = sha256.New()
	case "SHA-384":
		h = sha512.New384()
	case "SHA-512":
		h = sha512.New()
	default:
		return ""
	}
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// seeded is $random with a seed: the same seed gives the same number. Which number is AWS's secret.
func seeded(seed float64) float64 {
	return unit(rand.New(rand.NewPCG(math.Float64bits(seed), 0)).Uint64())
}

// unit maps 64 random bits to [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// uuid makes a version 4 UUID of 128 random bits.
func uuid(high, low uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
