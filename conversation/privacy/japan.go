package privacy

var myNumberWords = []string{"マイナンバー", "個人番号", "マイナ番号", "my number", "mynumber", "individual number", "마이넘버"}

// myNumber finds Japanese individual numbers: twelve digits. One parcel number
// in eleven has a right check digit too, so a word must stand before it; then a
// wrong digit is a slip of the pen.
func (d *detector) myNumber(w *window) {
	s := w.digits
	if len(s) != 12 || !w.fits(4, 8) || !d.nearest(w.from, myNumberWords, licenceWords, accountWords) {
		return
	}
	confidence := Medium
	if myNumberCheck(s) {
		confidence = High
	}
	d.add(MyNumber, w.from, w.to, confidence)
}

// myNumberCheck: the weights are 2 to 7 from the right, then 2 to 6 again.
func myNumberCheck(s string) bool {
	sum := 0
	for i, weight := range []int{6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2} {
		sum += int(s[i]-'0') * weight
	}
	check := 0
	if rest := sum % 11; rest > 1 {
		check = 11 - rest
	}
	return check == int(s[11]-'0')
}

// japaneseLicence finds the twelve digits of Japanese driver licences, which
// begin with the prefecture's number, after a word for them.
func (d *detector) japaneseLicence(w *window) {
	s := w.digits
	if len(s) == 12 && s[0] != '0' && w.fits(4, 8) && d.nearest(w.from, licenceWords, myNumberWords, accountWords) {
		d.add(DriverLicence, w.from, w.to, High)
	}
}
