package awsapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Timestamp is an instant as AWS JSON and CBOR carry it: seconds since 1970, with up to three decimals.
type Timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	var s float64
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a timestamp is a number of seconds since 1970: %w", err)
	}
	t.Time = time.UnixMilli(int64(s * 1000)).UTC()
	return nil
}

func (t Timestamp) seconds() float64 { return float64(t.UnixMilli()) / 1000 }
