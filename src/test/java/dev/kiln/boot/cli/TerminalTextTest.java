package dev.kiln.boot.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TerminalTextTest {
    @ParameterizedTest
    @CsvSource(textBlock = """
                    colours go,              a^[[1;31mred^[[0m!,                ared!
                    titles go,               a^[]0;evil^Gb,                     ab
                    strings end by ST too,   a^[P1;2^[\\b,                      ab
                    the clipboard is safe,   a^[]52;c;ZXZpbA==^[\\b,            ab
                    single escapes go,       a^[cb^[(Bc,                        abc
                    a cut sequence ends,     'a^[[31',                          a
                    an escape in a sequence, a^[[3^[[31mb,                      ab
                    bells and backspaces go, a^G^Hb,                            ab
                    eight-bit ones go,       a^Z31mb,                           ab
                    direction stays,         a^Rb,                              ab
                    umlauts stay,            grün,                              grün
                    """)
    void whatATerminalWouldObeyGoes(String what, String text, String shown) {
        String real = text.replace("^[", "\u001b")
                .replace("^G", "\u0007")
                .replace("^H", "\b")
                .replace("^Z", "\u009b")
                .replace("^R", "\u202e");

        assertThat(new TerminalText().clean(real)).as(what).isEqualTo(shown);
        TerminalText inPieces = new TerminalText();
        StringBuilder pieces = new StringBuilder();
        real.chars().forEach(c -> pieces.append(inPieces.clean(Character.toString(c))));
        assertThat(pieces).as(what + ", character by character").hasToString(shown);
    }

    @Test
    void aReturnBecomesALineSoThatNothingIsOverwritten() {
        assertThat(new TerminalText().clean("10%\r20%\r\ndone\n")).isEqualTo("10%\n20%\ndone\n");
    }

    @Test
    void aSequenceEndsWithItsLine() {
        assertThat(new TerminalText().clean("a\u001b]0;title\nb\u001b[31\nc")).isEqualTo("a\nb\nc");
    }

    @Test
    void aLineHasNoLineFeedAndABound() {
        assertThat(TerminalText.line("a\n b\tc ", 10)).isEqualTo("a b c");
        assertThat(TerminalText.line("abcdef", 4)).isEqualTo("abc…");
    }
}
