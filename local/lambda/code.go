package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// localBucket stands in for S3: an object's key in it is a path of this machine.
const localBucket = "local"

// maxUnpacked is Lambda's limit on unpacked code (developer guide, Lambda quotas).
const maxUnpacked = 250 << 20

// code is where a function's program is.
type code struct {
	folder    string // LAMBDA_TASK_ROOT
	bootstrap string
	sha256    string // base64, as the API gives it
	size      int64
}

// codeRequest is the part of CreateFunction and UpdateFunctionCode that says where the code is.
type codeRequest struct {
	S3Bucket string `json:"S3Bucket"`
	S3Key    string `json:"S3Key"`
	ZipFile  []byte `json:"ZipFile"`
}

// load finds or unpacks the code. A file or folder of this machine is used in place.
func (s *Service) load(r codeRequest) (code, error) {
	switch {
	case len(r.ZipFile) > 0 && r.S3Bucket == "" && r.S3Key == "":
		return s.unpack(r.ZipFile)
	case len(r.ZipFile) > 0:
		return code{}, invalidParameter("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case r.S3Bucket == "" || r.S3Key == "":
		return code{}, invalidParameter("Please provide a source for function code.")
	case r.S3Bucket != localBucket:
		return code{}, invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: the local stack has only the bucket %q, whose keys are absolute paths", localBucket)
	case !filepath.IsAbs(r.S3Key):
		return code{}, invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: %s is not an absolute path", r.S3Key)
	}
	bootstrap := r.S3Key
	if info, err := os.Stat(bootstrap); err == nil && info.IsDir() {
		bootstrap = filepath.Join(bootstrap, "bootstrap")
	}
	f, err := os.Open(bootstrap)
	if err != nil {
		return code{}, invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: %v", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return code{}, invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: %v", err)
	}
	return code{folder: filepath.Dir(bootstrap), bootstrap: bootstrap, sha256: base64.StdEncoding.EncodeToString(h.Sum(nil)), size: n}, nil
}

// unpack writes the files of a zip archive to a folder of their own.
func (s *Service) unpack(archive []byte) (code, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return code{}, invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	folder, err := s.newFolder()
	if err != nil {
		return code{}, err
	}
	var total int64
	for _, f := range z.File {
		n, err := unpackFile(folder, f, maxUnpacked-total)
		if err != nil {
			return code{}, err
		}
		total += n
	}
	sum := sha256.Sum256(archive)
	return code{folder: folder, bootstrap: filepath.Join(folder, "bootstrap"),
		sha256: base64.StdEncoding.EncodeToString(sum[:]), size: int64(len(archive))}, nil
}

// unpackFile writes one file and returns its size, which must not exceed limit.
func unpackFile(folder string, f *zip.File, limit int64) (int64, error) {
	if f.FileInfo().IsDir() {
		return 0, nil
	}
	if !filepath.IsLocal(f.Name) || !f.Mode().IsRegular() {
		return 0, invalidParameter("Could not unzip uploaded file: %s is not a plain file below the archive's root.", f.Name)
	}
	target := filepath.Join(folder, f.Name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return 0, err
	}
	in, err := f.Open()
	if err != nil {
		return 0, invalidParameter("Could not unzip uploaded file: %s cannot be read.", f.Name)
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o400)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, limit+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return 0, fmt.Errorf("unpacking %s: %w", f.Name, err)
	}
	if n > limit {
		return 0, invalidParameter("Unzipped size must be smaller than %d bytes", maxUnpacked)
	}
	return n, nil
}

// newFolder makes a folder that Close removes.
func (s *Service) newFolder() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unpacked == "" {
		dir, err := os.MkdirTemp("", "local-lambda-")
		if err != nil {
			return "", err
		}
		s.unpacked = dir
	}
	return os.MkdirTemp(s.unpacked, "code-")
}
