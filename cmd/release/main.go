// Command release packs what make release has built: the functions as zips, a list of what is in all of it (an SBOM),
// and the checksums. The same input gives the same bytes.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	functions := flag.String("functions", "", "the folder of the built functions, NAME/bootstrap each")
	version := flag.String("version", "", "the version")
	out := flag.String("out", "", "the release's folder, which has the other files")
	flag.Parse()
	if err := pack(*functions, *version, *out); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

const (
	sumsFile = "SHA256SUMS"
	sbomFile = "sbom.cdx.json"
)

// pack completes the folder of a release.
func pack(functions, version, out string) error {
	var programs []program
	built, err := filepath.Glob(filepath.Join(functions, "*", "bootstrap"))
	if err != nil || len(built) == 0 {
		return fmt.Errorf("there is no function in %s: run make functions-arm64", functions)
	}
	for _, path := range built {
		name := filepath.Base(filepath.Dir(path))
		p, err := readProgram(name, path)
		if err != nil {
			return err
		}
		programs = append(programs, p)
		zipped, err := zipFunction(p.text)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name+".zip"), zipped, 0o644); err != nil {
			return err
		}
	}
	commands, err := filepath.Glob(filepath.Join(out, "rotator*"))
	if err != nil {
		return err
	}
	for _, path := range commands {
		if strings.HasSuffix(path, ".json") { // the template
			continue
		}
		p, err := readProgram(filepath.Base(path), path)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	list, err := writeSBOM(version, programs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, sbomFile), list, 0o644); err != nil {
		return err
	}
	return writeSums(out)
}

// readProgram reads a binary, and what it was built from.
func readProgram(name, path string) (program, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(text))
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", path, err)
	}
	return program{name: name, text: text, info: info}, nil
}

// zipFunction packs a function's binary as Lambda takes it. The time in it is always the same.
func zipFunction(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate,
		Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// writeSums writes the checksums of all files, as sha256sum -c reads them.
func writeSums(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		if e.Name() == sumsFile || e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, hexSum(text)+"  "+e.Name()+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return os.WriteFile(filepath.Join(folder, sumsFile), []byte(strings.Join(lines, "")), 0o644)
}

func hexSum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
