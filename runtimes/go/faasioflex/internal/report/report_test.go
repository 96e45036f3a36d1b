package report

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// reported is what comes out of the pipe when run has written.
func reported(t *testing.T, run func(*Report)) []entry {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		run(&Report{pipe: in})
		in.Close()
	}()
	var found []entry
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one logged
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		found = append(found, one.Log)
	}
	return found
}

func TestLinesAreMadeOfWhatIsWritten(t *testing.T) {
	found := reported(t, func(r *Report) {
		writer := r.Writer("stdout", "r-1")
		for _, part := range []string{"o", "ne\r\ntwo\n", "\n", "rest"} {
			_, _ = writer.Write([]byte(part))
		}
		writer.End()
	})
	var messages []string
	for _, one := range found {
		messages = append(messages, one.Message)
		if one.Stream != "stdout" || *one.RequestID != "r-1" {
			t.Errorf("%+v", one)
		}
	}
	if got := strings.Join(messages, "|"); got != "one|two||rest" {
		t.Error(got)
	}
}

func TestLongLinesAreCutBetweenLetters(t *testing.T) {
	found := reported(t, func(r *Report) { r.Line("stderr", strings.Repeat("ü", LongestLine), "") })
	joined := ""
	for _, one := range found {
		if len(one.Message) > LongestLine || one.RequestID != nil {
			t.Errorf("%d bytes", len(one.Message))
		}
		joined += one.Message
	}
	if joined != strings.Repeat("ü", LongestLine) || len(found) < 2 {
		t.Errorf("%d pieces", len(found))
	}
}

func TestBrokenTextBecomesText(t *testing.T) {
	found := reported(t, func(r *Report) { r.Line("stderr", "a\xff\x00b\nc", "") })
	if len(found) != 1 || found[0].Message != "a\uFFFD\x00b\nc" {
		t.Errorf("%+v", found)
	}
}
