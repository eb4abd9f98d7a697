"""What was meant by what was typed: pinyin, initials, wrong characters, typos, half-typed words."""
