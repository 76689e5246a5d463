package openldap

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

var (
	givenNames  = []string{"Anna", "Björn", "Chloé", "Dmitri", "Elif", "François", "Grażyna", "Hiroshi", "Ínigo", "Jürgen", "Зоя", "Νίκος", "美咲", "Søren", "Tōru"}
	familyNames = []string{"Müller", "O'Neil", "Łukasik", "García Márquez", "Åström", "Иванова", "Παπαδόπουλος", "山田", "Smith, Jr.", "van der Berg", "Çelik", "Nguyễn"}
	sites       = []string{"Berlin", "Zürich", "Tromsø"}
)

// certificate is a self-signed certificate, in DER and base64.
const certificate = "MIIBiDCCAS2gAwIBAgIUDTiXQ7BmVSSFx8EQXXeMSt26Cy0wCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNU2FtcGxlIFBlcnNvbjAgFw0y" +
	"NjExMjEwMjA1NDlaGA8yMTI2MTAyODAyMDU0OVowGDEWMBQGA1UEAwwNU2FtcGxlIFBlcnNvbjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFnMLWS+" +
	"ztSzEu2nbFvNA+ejzmt/uZzxv/16gqSBkfO7Ec7Sy6bmA2trs0m74KeJhoXjnlPGDQ7NTsx2DLEo2K+jUzBRMB0GA1UdDgQWBBRC3bMcvsM7f2wMxHk5" +
	"Y6U0oa/ycjAfBgNVHSMEGDAWgBRC3bMcvsM7f2wMxHk5Y6U0oa/ycjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCQDrcu4BzYxEIS" +
	"3bmYPNVou716T0MCbGUnDJ5shGOtXAIhALb9xVpMXKXmR98lNqrfTx5a5nUFPUYZdiKYs+BfpjOq"

// SampleLDIF returns a directory as organisations have them: the entry of the
// suffix (a DN of dc's), units on three levels, people (posixAccount, UTF-8
// names, {SSHA} passwords that are the uid, language options, some with a
// photograph or certificate), and groups of both kinds. Equal arguments give
// equal text.
func SampleLDIF(suffix string, people, groups int) string {
	s := sample{suffix: suffix, rnd: rand.New(rand.NewPCG(1, 2))}
	s.units()
	for i := range people {
		s.person(i)
	}
	for i := range groups {
		s.group(i, people)
	}
	return s.String()
}

// SampleEntries is the number of entries in SampleLDIF's text.
func SampleEntries(people, groups int) int { return 1 + 3 + len(sites) + people + groups }

// SamplePerson is the DN of person i of SampleLDIF.
func SamplePerson(suffix string, i int) string {
	return fmt.Sprintf("uid=u%05d,ou=%s,ou=people,%s", i, sites[i%len(sites)], suffix)
}

// sample writes LDIF; rnd is seeded, so its text is always the same.
type sample struct {
	strings.Builder
	suffix string
	rnd    *rand.Rand
}

// attr writes one line, in base64 where RFC 2849 asks for it.
func (s *sample) attr(name, value string) {
	if safe(value) {
		fmt.Fprintf(s, "%s: %s\n", name, value)
		return
	}
	fmt.Fprintf(s, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
}

func safe(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return v == "" || !strings.ContainsRune(" :<", rune(v[0])) && v[len(v)-1] != ' '
}

func (s *sample) open(dn string, classes ...string) {
	s.attr("dn", dn)
	for _, c := range classes {
		s.attr("objectClass", c)
	}
}

func (s *sample) end() { s.WriteByte('\n') }

func (s *sample) units() {
	dc := strings.TrimPrefix(strings.SplitN(s.suffix, ",", 2)[0], "dc=")
	s.open(s.suffix, "dcObject", "organization")
	s.attr("dc", dc)
	s.attr("o", "Example & Söhne")
	s.end()
	for _, ou := range []string{"people", "groups", "services"} {
		s.unit(ou, s.suffix)
	}
	for _, ou := range sites {
		s.unit(ou, "ou=people,"+s.suffix)
	}
}

func (s *sample) unit(ou, parent string) {
	s.open("ou="+ou+","+parent, "organizationalUnit")
	s.attr("ou", ou)
	s.attr("description", "all of "+ou)
	s.end()
}

func (s *sample) person(i int) {
	uid := fmt.Sprintf("u%05d", i)
	given, family := givenNames[s.rnd.IntN(len(givenNames))], familyNames[s.rnd.IntN(len(familyNames))]
	s.open(SamplePerson(s.suffix, i), "inetOrgPerson", "posixAccount", "shadowAccount")
	s.attr("uid", uid)
	s.attr("cn", given+" "+family)
	s.attr("cn", fmt.Sprintf("%s %s (%d)", family, given, i))
	s.attr("sn", family)
	s.attr("givenName", given)
	s.attr("mail", uid+"@example.com")
	s.attr("mail", fmt.Sprintf("person.%d@mail.example.com", i))
	s.attr("uidNumber", fmt.Sprint(10000+i))
	s.attr("gidNumber", fmt.Sprint(5000+i%7))
	s.attr("homeDirectory", "/home/"+uid)
	s.attr("loginShell", "/bin/bash")
	s.attr("telephoneNumber", fmt.Sprintf("+49 30 %07d", i))
	s.attr("userPassword", s.ssha(uid))
	s.rarely(i)
	s.end()
}

// rarely writes what only some people have.
func (s *sample) rarely(i int) {
	if i%3 == 0 {
		s.attr("description", "employee")
		s.attr("description;lang-de", "Angestellte·r")
	}
	if i%5 == 0 {
		s.attr("postalAddress", "Example GmbH$Straße des 17. Juni 135$10623 Berlin$"+strings.Repeat("long line ", 12)+"end")
	}
	if i%10 == 0 {
		s.attr("jpegPhoto", s.photo())
	}
	if i%20 == 0 {
		der, _ := base64.StdEncoding.DecodeString(certificate)
		s.attr("userCertificate;binary", string(der))
	}
}

func (s *sample) group(i, people int) {
	name := fmt.Sprintf("group%04d", i)
	dn := "cn=" + name + ",ou=groups," + s.suffix
	if i%3 == 2 {
		s.open(dn, "posixGroup")
		s.attr("gidNumber", fmt.Sprint(5000+i))
		for m := i % 11; m < people; m += 11 {
			s.attr("memberUid", fmt.Sprintf("u%05d", m))
		}
	} else {
		s.open(dn, "groupOfNames")
		s.attr("description", "group number "+fmt.Sprint(i))
		s.attr("member", "ou=groups,"+s.suffix)
		for m := i % 13; m < people && m < 13*200; m += 13 {
			s.attr("member", SamplePerson(s.suffix, m))
		}
	}
	s.attr("cn", name)
	s.end()
}

func (s *sample) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rnd.Uint32())
	}
	return b
}

// photo returns something with the start and end of a JPEG file, 1 to 6 kB.
func (s *sample) photo() string {
	head := "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
	return head + string(s.bytes(1000+s.rnd.IntN(5000))) + "\xff\xd9"
}

func (s *sample) ssha(password string) string {
	salt := s.bytes(8)
	sum := sha1.Sum(append([]byte(password), salt...))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}
