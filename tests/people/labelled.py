"""Invented records of HubSpot and Google Contacts, labelled with the humans whom they stand for.

They score whatever joins records of the same human: `people` gives what was typed, and the label says who it is. This
module shares nothing with what it scores, neither code nor lists of names, prefixes or mailboxes, and knows nothing of
how that works, so that the two cannot be wrong together.

Two records have the same label only where a careful human who reads both would be sure. There are two exceptions:
records whose `dirt` starts with `guess_` are of the same human, but reading them tells no more than that they probably
are, and records whose `dirt` starts with `lookalike_` resemble a record of somebody else. A lookalike may have a clean
record besides, with the same full name and e-mail, so that refusing to join anything near a lookalike costs something.
"""

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import combinations, cycle
from typing import Any

type Json = dict[str, Any]

# Of each language: women's names, men's names, family names, and where its speakers live.
_POOLS = {
    "de": (
        "Anna-Lena, Änne, Bärbel, Greta, Heike, Jana, Katharina, Lieselotte, Marlies, Nele, Susanne, Ulrike, Wiebke",
        "Björn, Dietmar, Götz, Günther, Hans-Jürgen, Holger, Jörg, Karl-Heinz, Lothar, Rüdiger, Sönke, Torsten, Uwe",
        "Abendroth, Bäumler, Böttcher, Brüggemann, Eichhorn, Fröhlich, Gräfe, Großmann, Hölzl, Kästner, Köhler-Wendt, Krüger, Lindenau, Müller-Lüdtke, Nußbaum, Pfützner, Rößler, Schäfermeier, Strauß, Süßmilch, von Thalheim, Vößing, Weißgerber, zu Rehberg",
        "Germany, Austria, Switzerland",
    ),
    "en": (
        "Abigail, Charlotte, Deborah, Elizabeth, Gwendolyn, Harriet, Imogen, Margaret, Mary-Kate, Philippa, Rosalind, Sinéad, Victoria, Winifred",
        "Alastair, Benedict, Christopher, Desmond, Edmund, Graham, Michael, Nathaniel, Oliver, Quentin, Richard, Robert, Theodore, William",
        "Ashdown, Blackwood, Carrington-Hale, D'Arcy, Fairweather, Fitzgerald-Moore, Goldthorpe, Hathersage, Kilbride, Lockridge, MacAllister, McTavish, O'Brennan, O'Shaughnessy, Pemberton, Ravenscroft, St. Clair, Thistlewood, Underhay, Wetherby, Yardley",
        "United Kingdom, United States",
    ),
    "es": (
        "Begoña, Concepción, Inés, Jimena, Lucía, María José, Mónica, Nuria, Pilar, Rocío, Sofía, Verónica",
        "Álvaro, Andrés, Eusebio, Félix, Francisco, Gonzalo, Iñaki, Jesús, José Luis, Martín, Óscar, Ramón, Tomás",
        "Aguilar Peña, Álvarez, Bermúdez Soto, Castañeda, de la Fuente, Domínguez, Echeverría, García Ibáñez, Güell, Hernández-Ruiz, Ibarra, Jiménez Vidal, López de Haro, Muñoz, Núñez, Ordóñez, Peñalver, Quiñones, Ruiz Cárdenas, Sáenz, Urrutia, Vázquez Mora, Yáñez, Zúñiga",
        "Spain",
    ),
    "pt": (
        "Ângela, Beatriz, Catarina, Conceição, Fátima, Joana, Letícia, Luísa, Madalena, Mafalda, Sónia, Vitória",
        "António, Bartolomeu, Duarte, Estêvão, Gonçalo, João, Joaquim, Leandro, Luís Filipe, Nuno, Rui, Sebastião, Tomé",
        "Assunção, Branquinho, Brandão, Carvalho e Melo, da Silva Prado, de Araújo, do Amaral, dos Santos Reis, Falcão, Galvão, Guimarães, Leitão, Magalhães, Mourão, Paixão, Quintão, Simões, Teles de Brito, Valadão, Vasconcelos, Xavier Pinho, Zagalo",
        "Portugal",
    ),
    "fr": (
        "Adèle, Anaïs, Bénédicte, Chloé, Clémence, Éléonore, Françoise, Geneviève, Hélène, Maëlle, Marie-Claire, Noémie",
        "Aurélien, Benoît, Cédric, Étienne, François, Frédéric, Gaël, Jean-Baptiste, Jérôme, Léonard, Rémi, Théophile",
        "Barthélemy, Beauséjour, Chênevert, d'Aubigné, de La Roche, Delacourt, Desprès, du Châtel, Fournière, Gauthier-Lemaître, Hébrard, L'Hermite, Le Goïc, Lefèvre, Mérigot, N'Diaye, Quéméneur, Rousselot, Saint-Amand, Tréville, Vauquelin",
        "France, Switzerland",
    ),
    "nordic": (
        "Åsa, Astrid, Birgitta, Bjørg, Gunnhild, Ingeborg, Kjersti, Linnéa, Maj-Britt, Märta, Pernille, Sølvi, Tuva",
        "Åke, Anders, Bjarne, Håkon, Halvard, Jørgen, Kåre, Lars-Erik, Mårten, Øystein, Sigurd, Sören, Torbjørn, Ulf",
        "Ångman, Bergström, Bjørnstad, Blåfjell, Dahlqvist, Eklöf, Fjällgren, Grønning, Håkansson, Hjorth-Lund, Kjærgaard, Lindegård, Møllerup, Nygård, Ødegaard, Östberg, Øverland, Rømer, Sjöholm, Skaarup, Strømme, Thorsøe, Wåhlin",
        "Sweden, Norway, Denmark",
    ),
    "tr": (
        "Ayşe, Büşra, Çiğdem, Ebru, Elif, Gülşah, Hatice, İpek, Müge, Nurgül, Özlem, Şebnem, Yıldız, Zeynep",  # noqa: RUF001 (a Turkish letter)
        "Barış, Burak, Çağlar, Emrah, Gökhan, Hüseyin, İlker, Kağan, Mehmet, Oğuz, Ömer, Şahin, Tolga, Yiğit",  # noqa: RUF001 (a Turkish letter)
        "Akçay, Aydoğan, Başaran, Bozkır, Çelikel, Demirtaş, Erdoğmuş, Gökmen, Gündüzalp, İnceoğlu, Karabıyık, Kılıçarslan, Kuşçu, Öztoprak, Sarıoğlu, Şimşekli, Taşdelen, Uğurlu, Ünalmış, Yağcı, Yüceer, Zengin",  # noqa: RUF001 (a Turkish letter)
        "Türkiye",
    ),
    "pl": (
        "Agnieszka, Bożena, Danuta, Elżbieta, Grażyna, Halina, Jadwiga, Joanna, Małgorzata, Róża, Wiesława, Żaneta, Zofia",
        "Andrzej, Bogusław, Czesław, Grzegorz, Jędrzej, Kazimierz, Łukasz, Mieczysław, Paweł, Radosław, Tadeusz, Zbigniew",
        "Błaszczyk, Ciesielczuk, Ćwiklak, Dąbek, Gałązka, Głowacz, Kłosek, Kołodziejczyk, Łyszczarz, Mróz, Nowaczyk, Ogórek, Pająk, Piątek, Rączka, Ślusarz, Sobiech, Świerczek, Szczygieł, Wąsik, Wójcik-Maj, Wróbelek, Żółtek",
        "Poland",
    ),
    "vi": (
        "Ánh, Bích, Chi, Diệu, Hằng, Hương, Lan, Mai, Ngọc, Phượng, Quỳnh, Thảo, Thủy, Yến",
        "Bảo, Cường, Đạt, Dũng, Hải, Hiếu, Khôi, Lộc, Minh, Nghĩa, Phúc, Quân, Tuấn, Việt",
        "Bùi, Châu, Đặng, Đào, Đinh, Đỗ, Dương, Hoàng, Hồ, Huỳnh, Lâm, Lê, Lý, Mạc, Ngô, Nguyễn, Phạm, Phan, Tạ, Trần, Trịnh, Võ, Vũ",
        "Vietnam",
    ),
    "nl": (
        "Annelies, Brechtje, Femke, Geertruida, Hanneke, Liesbeth, Maaike, Noortje, Renée, Saskia, Tjitske, Willemijn",
        "Bastiaan, Cornelis, Diederik, Floris, Gijsbert, Hendrik, Jan-Willem, Koenraad, Maarten, Pieter, Sjoerd, Wouter",
        "Bakhuizen, de Graaf, de Vries-Mulder, den Hollander, Hoekstra, in 't Veld, Kloosterman, Oosterhuis, op den Akker, Rozendaal, Smeets, 't Hart, ten Brinke, ter Horst, van 't Hof, van Aalst, van de Velde, van den Heuvel, van der Meulen, van der Zwaag, Verschuren, Westerveld, Zuiderduin",
        "Netherlands",
    ),
    "it": (
        "Alessia, Benedetta, Chiara, Donatella, Fiammetta, Ginevra, Loredana, Mirella, Ornella, Raffaella, Tiziana, Viola",
        "Bartolo, Corrado, Emanuele, Fabrizio, Giancarlo, Giuseppe, Jacopo, Niccolò, Ottavio, Ruggero, Saverio, Umberto",
        "Antonelli, Bevilacqua, Calabrò, Colonna-Riva, D'Amico, D'Onofrio, De Santis, Dell'Orto, Della Torre, Ferrigno, Gallinari, Lo Presti, Macrì, Montanari, Orlandini, Quaranta, Rinaldini, Tagliaferri, Ubaldi, Vezzosi",
        "Italy",
    ),
}


@dataclass(frozen=True, slots=True)
class Language:
    """What people are called, and where they live."""

    women: list[str]
    men: list[str]
    families: list[str]
    countries: list[str]

    @property
    def given(self) -> list[str]:
        """The names of both."""
        return self.women + self.men


_LANGUAGES = {name: Language(*(each.split(", ") for each in pools)) for name, pools in _POOLS.items()}
_NICKNAMES = {
    "Charlotte": "Lottie",
    "Christopher": "Kit",
    "Concepción": "Concha",
    "Deborah": "Debbie",
    "Elizabeth": "Liz",
    "Francisco": "Paco",
    "Geertruida": "Truus",
    "Giuseppe": "Beppe",
    "Joanna": "Asia",
    "José Luis": "Pepe",
    "Katharina": "Kathi",
    "Małgorzata": "Gosia",
    "Margaret": "Peggy",
    "Michael": "Mike",
    "Richard": "Dick",
    "Robert": "Bob",
    "Susanne": "Susi",
    "Theodore": "Ted",
    "William": "Bill",
}

# Of each country: its code, the first digits of mobile numbers, how many follow, and whether people type a leading zero.
_MOBILE = {
    "Germany": ("49", ("160", "170", "171", "172", "173", "175"), 7, True),
    "Austria": ("43", ("664", "676"), 7, True),
    "Switzerland": ("41", ("76", "78", "79"), 7, True),
    "United Kingdom": ("44", ("7400", "7500"), 6, True),
    "United States": ("1", ("202", "212", "312", "415", "617", "713"), 7, False),
    "Spain": ("34", ("612", "655"), 6, False),
    "Portugal": ("351", ("912", "936", "962"), 6, False),
    "France": ("33", ("612", "644"), 6, True),
    "Sweden": ("46", ("70", "73", "76"), 7, True),
    "Norway": ("47", ("412", "925"), 5, False),
    "Denmark": ("45", ("20", "31", "42"), 6, False),
    "Türkiye": ("90", ("532", "542"), 7, True),
    "Poland": ("48", ("501", "602", "791"), 6, False),
    "Vietnam": ("84", ("90", "91", "98"), 7, True),
    "Netherlands": ("31", ("61", "62"), 7, True),
    "Italy": ("39", ("320", "347"), 7, False),
}
_LANDLINE = {
    "Germany": ("49", ("30", "40", "69", "89", "221"), 7, True),
    "Austria": ("43", ("1", "316"), 7, True),
    "Switzerland": ("41", ("44", "31"), 7, True),
    "United Kingdom": ("44", ("20",), 8, True),
    "United States": _MOBILE["United States"],
    "Portugal": ("351", ("21", "22"), 7, False),
}
# The digits with which numbers that are reserved for invented people go on.
_RESERVED = {("1", 7): "55501", ("44", 8): "79460"}

_WORDS = {
    "company": "Abendstern Bernstein Calluna Distelfink Eisvogel Ferrum Granat Halyard Indigo Juniper Kestrel Lumen Morgentau Nordwind Obsidian Perlmutt Quarz Rosmarin Sextant Tamarind Umbra Vela Windrose Zinnober",
    "branch": "Analytics Bau Consulting Design Energie Foods Logistik Medien Optik Pharma Robotics Software Textil",
    "hobby": "bergziege blumenkind chessfan funkyfox lesewurm mondschein radler rocketman seglerin sunny teefreund",
}
_COMPANY, _BRANCH, _HOBBIES = map(str.split, _WORDS.values())
_PARTICLES = frozenset(("De", "Della", "Le", "Lo", "Saint", "St."))
_FORM = ("GmbH", "AG", "Ltd", "Lda", "S.L.", "Inc.", "& Co. KG", "SARL", "AB")
_TITLES = (
    "Account Manager",
    "Accountant",
    "Architect",
    "Developer",
    "Head of Sales",
    "Nurse",
    "Photographer",
    "Project Manager",
    "Teacher",
    "Translator",
)
_PRIVATE = ("mail.example.org", "post.example.net", "inbox.example.com", "web.example.org")
_FULL = ("{first}.{last}", "{first}{last}", "{first}_{last}", "{last}.{first}", "{first}-{last}")
_ANY = (*_FULL, "{f}.{last}", "{f}{last}", "{first}.{l}", "{hobby}")
_MAILBOXES = ("info", "office", "kontakt", "team", "sales", "hello")
_ROLES = ("marketing", "ceo", "presse", "einkauf", "hr", "vertrieb", "buchhaltung", "geschaeftsleitung")

# The classes of dirt that leave no doubt, and those that do.
DIRT = (
    "email_case",
    "email_spaces",
    "email_plus_tag",
    "gmail_dots",
    "merged_email",
    "second_email",
    "phone_missing_country",
    "phone_formatting",
    "phone_extension_free",
    "changed_last_name",
    "accents_lost",
    "unicode_decomposed",
    "name_case",
    "name_punctuation",
    "name_swapped",
    "name_in_one_field",
    "middle_name_or_initial",
    "given_initial",
    "family_name_part",
    "honorific",
    "first_name_only",
    "name_missing",
    "unchanged",
)
GUESSES = (
    "guess_nickname",
    "guess_first_name_phone",
    "guess_name_and_company",
    "guess_name_and_birthday",
    "guess_no_name_phone",
    "guess_changed_last_name",
    "guess_name_typo",
)
# HubSpot trims and lowers e-mails and refuses what is none.
_GOOGLE_ONLY = frozenset(("email_case", "email_spaces", "merged_email"))
# With these the records have the same full name, so that the e-mail need not tell whose it is.
_SAME_NAME = frozenset(DIRT[:9]) | {"unchanged"}

_DEFAULT = 600
# How many of 600 humans each case makes.
_SHARES = {
    "dirty": 160,
    "guess": 105,
    "lookalike_family_phone": 21,
    "lookalike_father_and_son": 16,
    "lookalike_switchboard": 54,
    "lookalike_shared_mailbox": 27,
    "lookalike_couple_email": 16,
    "lookalike_namesake": 16,
    "lookalike_namesake_colleague": 16,
    "lookalike_successor_email": 16,
    "lookalike_assistant_email": 16,
    "lookalike_similar_email": 16,
    "lookalike_reused_phone": 16,
    "lookalike_unnamed_two_emails": 45,
    "lookalike_list": 30,
    "lookalike_placeholder": 15,
    "lookalike_nothing": 15,
}
_LIST = 200


@dataclass(frozen=True, slots=True)
class Labelled:
    """A record as it was typed, and whom it stands for."""

    source: str
    id: str
    human: int
    dirt: str
    fields: Json = field(hash=False)


def people(seed: int = 1, humans: int = _DEFAULT) -> list[Labelled]:
    """The records of about so many humans; 600 have at least 15 of each class of dirt."""
    sample = _Sample(seed)
    for case, share in _SHARES.items():
        maker: Callable[[random.Random, int], None] = getattr(sample, f"_{case}")
        maker(random.Random(f"{seed}/{case}"), max(1, round(share * humans / _DEFAULT)))
    return sorted(sample.records, key=lambda each: (each.source, each.id))


def pairs(sample: list[Labelled]) -> Iterator[tuple[Labelled, Labelled, str]]:
    """Every two records of the same human, and the class of dirt between them.

    It is that of the record which is not clean, or both of them, guesses first.
    """
    records: dict[int, list[Labelled]] = {}
    for each in sample:
        records.setdefault(each.human, []).append(each)
    for found in records.values():
        for one, other in combinations(found, 2):
            dirty = sorted({one.dirt, other.dirt} - {"clean"}, key=lambda name: (name[:6] != "guess_", name))
            yield one, other, "+".join(dirty)


@dataclass(frozen=True, slots=True)
class Card:
    """What somebody knows of a human, before it is typed into HubSpot or Google."""

    prefix: str = ""
    given: str = ""
    middle: str = ""
    family: str = ""
    suffix: str = ""
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    landlines: tuple[str, ...] = ()
    company: str = ""
    title: str = ""
    country: str = ""
    born: date | None = None
    yearless: bool = False


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in its parts, to be typed in different ways."""

    code: str
    area: str
    number: str
    trunk: bool

    @property
    def typed(self) -> str:
        """As whoever types with care does."""
        if self.code == "1":
            return f"+1 {self.area}-{self.number[:3]}-{self.number[3:]}"
        return f"+{self.code} {self.area} {self.number}"

    def formatted(self, dice: random.Random) -> str:
        """With its country, in another way."""
        code, area, number = self.code, self.area, self.number
        ways = [
            f"+{code}{area}{number}",
            f"00{code} {area} {number}",
            f"00{code}{area}{number}",
            f"+{code}-{area}-{number}",
            f"+{code} {area}/{number}",
            f"+{code}.{area}.{number}",
            f"+{code} ({area}) {number[:3]} {number[3:]}",
            f"+{code}\N{NO-BREAK SPACE}{area}\N{NO-BREAK SPACE}{number}",
            f"tel:+{code}-{area}-{number}",
        ]
        if self.trunk:
            ways += [f"+{code} (0){area} {number}", f"+{code} (0) {area} / {number[:3]} {number[3:]}"]
        return dice.choice(ways)

    def national(self, dice: random.Random) -> str:
        """Without its country."""
        area, number = self.area, self.number
        return dice.choice(
            (
                f"0{area} {number}",
                f"0{area}/{number}",
                f"0{area}{number}",
                f"0{area}-{number}",
                f"(0{area}) {number[:3]} {number[3:]}",
            )
        )


@dataclass(frozen=True, slots=True)
class Company:
    """An employer, and where its mailboxes are."""

    name: str
    domain: str
    country: str


@dataclass(frozen=True, slots=True)
class Human:
    """A human, with all that the clean record says."""

    label: int
    language: str
    woman: bool
    clean: Card
    mobile: Phone
    office: Phone
    company: Company


type _Fits = Callable[[str, str, str], bool]

_WISHES: dict[str, _Fits] = {
    "accents_lost": lambda language, given, family: _plain(given + family) != given + family,
    "unicode_decomposed": lambda language, given, family: _decomposed(given + family) != given + family,
    # Lowering a dotted capital i leaves a letter of its own.
    "name_case": lambda language, given, family: language != "tr",
    "name_punctuation": lambda language, given, family: bool(re.search(r"['-]|\b[a-z]\w* ", family)),
    "family_name_part": lambda language, given, family: _is_double(family),
    "guess_nickname": lambda language, given, family: given in _NICKNAMES,
    "guess_name_typo": lambda language, given, family: family.isalpha() and len(family) > 5,
}


class _Sample:
    """The records so far, and what they have taken."""

    def __init__(self, seed: int) -> None:
        self.records: list[Labelled] = []
        self._ids = random.Random(f"{seed}/ids")
        self._humans = 0
        self._taken: set[Any] = set()
        self._in_hubspot: set[str] = set()
        dice = random.Random(f"{seed}/companies")
        self._companies = [self._company(dice) for _ in range(60)]

    # What everything is made of.

    def _is_free(self, given: str, family: str) -> bool:
        """Whether nobody has the full name, in neither order."""
        return _key(given, family) not in self._taken

    def _add(self, dice: random.Random, human: Human | None, dirt: str, card: Card, source: str = "") -> None:
        """Type a record. HubSpot never has one e-mail twice."""
        emails = {each.lower() for each in card.emails}
        if not source:
            source = dice.choice(("hubspot", "google"))
        if source == "hubspot" and emails & self._in_hubspot:
            source = "google"
        if source == "hubspot":
            self._in_hubspot |= emails
        digits = self._fresh(lambda: self._ids.randrange(10**11, 10**12))
        key = str(digits) if source == "hubspot" else f"people/c{digits}"
        typed = _hubspot(dice, card) if source == "hubspot" else _google(dice, card)
        self.records.append(Labelled(source, key, human.label if human else self._label(), dirt, typed))

    def _label(self) -> int:
        self._humans += 1
        return self._humans

    def _fresh[T](self, make: Callable[[], T], key: Callable[[T], Any] = lambda made: made) -> T:
        """The first that nobody has yet."""
        while key(made := make()) in self._taken:
            pass
        self._taken.add(key(made))
        return made

    def _company(self, dice: random.Random) -> Company:
        word, branch = self._fresh(lambda: (dice.choice(_COMPANY), dice.choice(_BRANCH)))
        domain = f"{word}-{branch}.example.{dice.choice(('com', 'org', 'net'))}".lower()
        return Company(f"{word} {branch} {dice.choice(_FORM)}", domain, dice.choice(list(_LANDLINE)))

    def _phone(self, dice: random.Random, plan: tuple[str, tuple[str, ...], int, bool]) -> Phone:
        code, areas, digits, trunk = plan
        start = _RESERVED.get((code, digits), "")

        def make() -> Phone:
            rest = start or str(dice.randrange(2, 9))
            while len(rest) < digits:
                rest += str(dice.randrange(10))
            return Phone(code, dice.choice(areas), rest, trunk)

        return self._fresh(make)

    def _email(
        self,
        dice: random.Random,
        language: str,
        given: str,
        family: str,
        domain: str,
        styles: tuple[str, ...],
    ) -> str:
        """An address that nobody else has, not even with other dots. Gmail has neither hyphens nor underscores."""
        first, last = _slug(given, language), _slug(family, language)
        parts = {"first": first, "last": last, "f": first[0], "l": last[0]}
        tries = 0

        def make() -> str:
            nonlocal tries
            tries += 1
            number = "" if tries < 4 and domain != "gmail.com" else str(dice.randrange(2, 100))
            hobby = f"{dice.choice(_HOBBIES)}{dice.randrange(10, 1000)}"
            local = dice.choice(styles).format(**parts, hobby=hobby)
            if domain == "gmail.com":
                local = re.sub("[-_]", "", local)
            return f"{local}{number}@{domain}"

        return self._fresh(make, lambda made: made.replace(".", "").replace("_", "").replace("-", ""))

    def _human(
        self,
        dice: random.Random,
        wishes: tuple[str, ...] = (),
        *,
        kin: Human | None = None,
        given: str = "",
        locale: str = "",
        company: Company | None = None,
        styles: tuple[str, ...] = _FULL,
        domain: str = "",
        country: str = "",
    ) -> Human:
        """Somebody new, with a full name that nobody else has, in whichever order."""
        while True:
            language = kin.language if kin else locale or dice.choice(list(_LANGUAGES))
            abroad = dice.choice(list(_LANGUAGES)) if dice.random() < 0.1 and not wishes else language
            first = given or dice.choice(_LANGUAGES[language].given)
            last = kin.clean.family if kin else dice.choice(_LANGUAGES[abroad].families)
            wished = all(_WISHES[each](language, first, last) for each in wishes if each in _WISHES)
            if wished and self._is_free(first, last):
                break
        self._taken.add(_key(first, last))
        employer = company or dice.choice(self._companies)
        home = country or dice.choice((*_LANGUAGES[language].countries, "Germany"))
        where = domain or dice.choice(
            (employer.domain, employer.domain, *_PRIVATE[: 2 if company else 4], "gmail.com")
        )
        mobile = self._phone(dice, _MOBILE[home])
        clean = Card(
            given=first,
            family=last,
            emails=(self._email(dice, language, first, last, where, styles),),
            phones=(mobile.typed,),
            company=employer.name,
            title=dice.choice(_TITLES) if dice.random() < 0.6 else "",
            country=home if dice.random() < 0.5 else "",
            born=_birthday(dice) if dice.random() < 0.3 else None,
        )
        office = self._phone(dice, _LANDLINE[employer.country])
        return Human(
            self._label(), language, first in _LANGUAGES[language].women, clean, mobile, office, employer
        )

    def _namesake(
        self, dice: random.Random, human: Human, *, company: Company, email: str, country: str
    ) -> Human:
        """Somebody else with the same full name."""
        mobile = self._phone(dice, _MOBILE[country])
        clean = replace(
            human.clean,
            emails=(email,),
            phones=(mobile.typed,),
            company=company.name,
            title=dice.choice([title for title in _TITLES if title != human.clean.title]),
            country=country if human.clean.country else "",
            born=human.clean.born and human.clean.born + timedelta(days=dice.randrange(700, 5000)),
        )
        return replace(human, label=self._label(), clean=clean, mobile=mobile, company=company)

    def _another_email(
        self, dice: random.Random, human: Human, styles: tuple[str, ...] = ("{hobby}",)
    ) -> str:
        card = human.clean
        return self._email(dice, human.language, card.given, card.family, dice.choice(_PRIVATE), styles)

    def _by_email(self, dice: random.Random, human: Human, email: str = "") -> Card:
        """What has nothing but the e-mail in common with the clean record, besides the name."""
        other = (self._phone(dice, _LANDLINE["Germany"]).typed,) if dice.random() < 0.2 else ()
        return replace(_bare(dice, human.clean), emails=(email or human.clean.emails[0],), landlines=other)

    def _by_phone(self, dice: random.Random, human: Human, phone: str = "") -> Card:
        """What has nothing but the telephone in common with the clean record, besides the name."""
        other = (self._another_email(dice, human),) if dice.random() < 0.3 else ()
        return replace(_bare(dice, human.clean), emails=other, phones=(phone or human.mobile.typed,))

    def _by_either(self, dice: random.Random, human: Human) -> Card:
        return self._by_email(dice, human) if dice.random() < 0.6 else self._by_phone(dice, human)

    # The same human, beyond doubt.

    def _dirty(self, dice: random.Random, count: int) -> None:
        """Humans with a clean record and one to three others, each class as often as any other."""
        used: Counter[str] = Counter()
        for _, wanted in zip(range(count), cycle((2, 3, 1, 3, 3)), strict=False):
            classes = tuple(sorted(DIRT, key=lambda name: (used[name], dice.random()))[:wanted])
            used.update(classes)
            human = self._human(
                dice,
                classes,
                styles=_ANY if _SAME_NAME.issuperset(classes) else _FULL,
                domain="gmail.com" if "gmail_dots" in classes else "",
                country="Germany" if "phone_missing_country" in classes else "",
            )
            clean = human.clean
            if "second_email" in classes:
                clean = replace(clean, emails=(*clean.emails, self._another_email(dice, human, _ANY)))
            if "phone_extension_free" in classes:
                inside = dice.choice((" ext. {}", " x{}", ";ext={}", " Ext {}")).format(
                    dice.randrange(10, 100)
                )
                clean = replace(clean, landlines=(human.office.typed + inside,))
            human = replace(human, clean=clean)
            self._add(dice, human, "clean", clean)
            for dirt in classes:
                maker: Callable[[random.Random, Human], Card] = getattr(self, f"_{dirt}")
                self._add(dice, human, dirt, maker(dice, human), "google" if dirt in _GOOGLE_ONLY else "")

    def _email_case(self, dice: random.Random, human: Human) -> Card:
        email = human.clean.emails[0]
        local, _, domain = email.partition("@")
        written = dice.choice(
            (email.upper(), email.title(), f"{local.title()}@{domain}", f"{local}@{domain.upper()}")
        )
        return self._by_email(dice, human, written)

    def _email_spaces(self, dice: random.Random, human: Human) -> Card:
        email = human.clean.emails[0]
        ways = (
            f" {email}",
            f"{email} ",
            f"  {email} ",
            f"{email}\t",
            f"{email}\N{NO-BREAK SPACE}",
            f"{email}\n",
        )
        return self._by_email(dice, human, dice.choice(ways))

    def _email_plus_tag(self, dice: random.Random, human: Human) -> Card:
        local, _, domain = human.clean.emails[0].partition("@")
        tag = dice.choice(("news", "shop", "hubspot", "events", "2024"))
        return self._by_email(dice, human, f"{local}+{tag}@{domain}")

    def _gmail_dots(self, dice: random.Random, human: Human) -> Card:
        """With other dots, and perhaps the name that Gmail once had in Germany."""
        local = human.clean.emails[0].partition("@")[0]
        letters = local.replace(".", "")
        cut = dice.randrange(1, len(letters))
        ways = [
            each for each in (letters, f"{letters[:cut]}.{letters[cut:]}", ".".join(letters)) if each != local
        ]
        return self._by_email(
            dice, human, f"{dice.choice(ways)}@{dice.choice(('gmail.com', 'googlemail.com'))}"
        )

    def _merged_email(self, dice: random.Random, human: Human) -> Card:
        card, email = human.clean, human.clean.emails[0]
        ways = (
            f"{card.given} {card.family} <{email}>",
            f'"{card.family}, {card.given}" <{email}>',
            f"<{email}>",
            f"mailto:{email}",
        )
        return self._by_email(dice, human, dice.choice(ways))

    def _second_email(self, dice: random.Random, human: Human) -> Card:
        """The second e-mail of the clean record, alone or among others."""
        shared = human.clean.emails[1]
        other = self._another_email(dice, human, _ANY)
        emails = dice.choice(((shared,), (shared, other), (other, shared)))
        return replace(_bare(dice, human.clean), emails=emails)

    def _phone_missing_country(self, dice: random.Random, human: Human) -> Card:
        return self._by_phone(dice, human, human.mobile.national(dice))

    def _phone_formatting(self, dice: random.Random, human: Human) -> Card:
        return self._by_phone(dice, human, human.mobile.formatted(dice))

    def _phone_extension_free(self, dice: random.Random, human: Human) -> Card:
        """The number of the office without the extension that the clean record has."""
        card = replace(self._by_phone(dice, human), phones=(), landlines=(human.office.typed,))
        return replace(card, company=human.clean.company)

    def _changed_last_name(self, dice: random.Random, human: Human) -> Card:
        """Another family name, alone or after the old one, with the e-mail of the old name."""
        old = human.clean.family
        given = human.clean.given
        families = [name for name in _LANGUAGES[human.language].families if self._is_free(given, name)]
        new = self._fresh(lambda: dice.choice(families), lambda name: _key(given, name))
        joined = f"{old}-{new}" if old.isalpha() and new.isalpha() and dice.random() < 0.3 else new
        return replace(self._by_email(dice, human), family=joined)

    def _accents_lost(self, dice: random.Random, human: Human) -> Card:
        """As on a keyboard without accents, in one of two ways where the e-mail leaves no doubt."""
        card = self._by_either(dice, human)
        lose = _spelled_out if human.language == "de" else _plain
        if card.emails[:1] == human.clean.emails[:1]:
            lose = dice.choice((_spelled_out, _plain))
        return replace(card, given=lose(card.given), family=lose(card.family))

    def _unicode_decomposed(self, dice: random.Random, human: Human) -> Card:
        card = self._by_either(dice, human)
        return replace(card, given=_decomposed(card.given), family=_decomposed(card.family))

    def _name_case(self, dice: random.Random, human: Human) -> Card:
        card = self._by_either(dice, human)
        change = dice.choice((str.upper, str.lower))
        given = dice.choice((change(card.given), card.given))
        return replace(card, given=given, family=change(card.family))

    def _name_punctuation(self, dice: random.Random, human: Human) -> Card:
        """Blanks for hyphens, typographic apostrophes, and particles with capitals."""
        card = self._by_either(dice, human)
        family = card.family.replace("-", " ").replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
        return replace(card, family=re.sub(r"\b[a-z](?=\w* )", lambda found: found[0].upper(), family))

    def _name_swapped(self, dice: random.Random, human: Human) -> Card:
        card = self._by_email(dice, human)
        return replace(card, given=card.family, family=card.given)

    def _name_in_one_field(self, dice: random.Random, human: Human) -> Card:
        card = self._by_either(dice, human)
        whole = dice.choice((f"{card.given} {card.family}",) * 3 + (f"{card.family}, {card.given}",))
        return (
            replace(card, given=whole, family="")
            if dice.random() < 0.6
            else replace(card, given="", family=whole)
        )

    def _middle_name_or_initial(self, dice: random.Random, human: Human) -> Card:
        card = self._by_either(dice, human)
        language = _LANGUAGES[human.language]
        names = language.women if human.woman else language.men
        name = dice.choice([each for each in names if each != card.given])
        return replace(card, middle=dice.choice((name, f"{name[0]}.", name[0])))

    def _given_initial(self, dice: random.Random, human: Human) -> Card:
        card = self._by_email(dice, human)
        return replace(card, given=f"{card.given[0]}.")

    def _family_name_part(self, dice: random.Random, human: Human) -> Card:
        """One of two family names."""
        card = self._by_email(dice, human)
        parts = re.split("[- ]", card.family)
        return replace(card, family=parts[0] if human.language == "es" else dice.choice(parts))

    def _honorific(self, dice: random.Random, human: Human) -> Card:
        """A title before or behind the name, or instead of the given name where the e-mail tells that."""
        how = dice.random()
        address = "Frau" if human.woman else "Herr"
        if how < 0.2:
            return replace(self._by_email(dice, human), prefix=address, given="")
        card = self._by_either(dice, human)
        if how < 0.35:
            return replace(card, suffix=dice.choice(("PhD", "MBA", "M.A.")))
        return replace(card, prefix=dice.choice(("Dr.", "Dr.", "Prof.", "Prof. Dr.", address, "Dipl.-Ing.")))

    def _first_name_only(self, dice: random.Random, human: Human) -> Card:
        return replace(self._by_email(dice, human), family="")

    def _name_missing(self, dice: random.Random, human: Human) -> Card:
        return replace(self._by_email(dice, human), given="", family="")

    def _unchanged(self, dice: random.Random, human: Human) -> Card:
        return human.clean

    # The same human, probably.

    def _guess(self, dice: random.Random, count: int) -> None:
        """Humans with a clean record and one other, each class as often as any other."""
        for _, guess in zip(range(count), cycle(GUESSES), strict=False):
            human = self._human(dice, (guess,))
            if guess == "guess_changed_last_name":
                email = self._fresh(
                    lambda: f"{dice.choice(_HOBBIES)}{dice.randrange(10, 1000)}@{dice.choice(_PRIVATE)}"
                )
                human = replace(human, clean=replace(human.clean, emails=(email,)))
            if guess == "guess_name_and_birthday":
                human = replace(human, clean=replace(human.clean, born=_birthday(dice)))
            maker: Callable[[random.Random, Human], Card] = getattr(self, f"_{guess}")
            self._add(dice, human, "clean", human.clean)
            self._add(dice, human, guess, maker(dice, human))

    def _guess_nickname(self, dice: random.Random, human: Human) -> Card:
        return replace(self._by_email(dice, human), given=_NICKNAMES[human.clean.given])

    def _guess_first_name_phone(self, dice: random.Random, human: Human) -> Card:
        return replace(self._by_phone(dice, human), family="", emails=())

    def _guess_name_and_company(self, dice: random.Random, human: Human) -> Card:
        """With a private e-mail, another telephone, or neither."""
        card = replace(_bare(dice, human.clean), company=human.clean.company)
        how = dice.randrange(3)
        if how == 0:
            return replace(card, emails=(self._another_email(dice, human),))
        if how == 1:
            return replace(card, landlines=(self._phone(dice, _LANDLINE["Germany"]).typed,))
        return card

    def _guess_name_and_birthday(self, dice: random.Random, human: Human) -> Card:
        email = self._another_email(dice, human)
        return Card(
            given=human.clean.given, family=human.clean.family, emails=(email,), born=human.clean.born
        )

    def _guess_no_name_phone(self, dice: random.Random, human: Human) -> Card:
        return Card(phones=(human.mobile.typed,))

    def _guess_changed_last_name(self, dice: random.Random, human: Human) -> Card:
        """As `_changed_last_name`, but the e-mail tells nobody's name."""
        return self._changed_last_name(dice, human)

    def _guess_name_typo(self, dice: random.Random, human: Human) -> Card:
        card, family = self._by_email(dice, human), human.clean.family
        place = dice.choice([each for each in range(1, len(family) - 1) if family[each] != family[each + 1]])
        swapped = family[:place] + family[place + 1] + family[place] + family[place + 2 :]
        return replace(card, family=dice.choice((swapped, family[:place] + family[place + 1 :])))

    # Different humans.

    def _lookalike_family_phone(self, dice: random.Random, count: int) -> None:
        """Families with one telephone at home or one mobile, some with twins; one of each has a clean record, too."""
        for number, size in enumerate(_sizes(count, (3, 2, 4))):
            kin = self._human(dice)
            home = self._phone(dice, _LANDLINE[dice.choice(("Germany", "Austria", "Portugal"))])
            born = _birthday(dice)
            family = [kin] + [self._human(dice, kin=kin) for _ in range(size - 1)]
            for place, human in enumerate(family):
                card = replace(_bare(dice, human.clean), company="", title="", born=None)
                phone = kin.mobile if number % 2 else home
                typed = (phone.typed if place == 0 or dice.random() < 0.5 else phone.formatted(dice),)
                card = replace(card, phones=typed) if number % 2 else replace(card, landlines=typed)
                if place == 0 or dice.random() < 0.5:
                    card = replace(card, emails=human.clean.emails)
                if place == 0:
                    self._add(dice, human, "clean", replace(human.clean, born=None))
                if number % 3 == 2 and place < 2:
                    card = replace(card, born=born, yearless=False)
                self._add(dice, human, "lookalike_family_phone", card)

    def _lookalike_father_and_son(self, dice: random.Random, count: int) -> None:
        """One full name and one telephone, told apart by a suffix, or by a suffix and the years of birth."""
        for number in range(-(-count // 2)):
            locale = ("en", "de")[number % 2]
            father = self._human(dice, locale=locale, given=dice.choice(_LANGUAGES[locale].men))
            home = self._phone(dice, _LANDLINE[("United States", "Germany")[number % 2]])
            old, young = (("Sr.", "Jr."), ("sen.", "jun."))[number % 2]
            born = _birthday(dice).replace(year=1940 + number % 20)
            card = Card(given=father.clean.given, family=father.clean.family, landlines=(home.typed,))
            if number % 4 == 3:
                first = replace(card, born=born)
                second = replace(card, suffix=young, born=born.replace(year=born.year + 30))
            else:
                first, second = replace(card, suffix=old), replace(card, suffix=young)
            self._add(dice, father, "lookalike_father_and_son", first)
            self._add(dice, None, "lookalike_father_and_son", second)

    def _lookalike_switchboard(self, dice: random.Random, count: int) -> None:
        """Colleagues with one number, some with extensions, two with one family name, two with one given name."""
        for size in _sizes(count, (40, 9, 5)):
            company = self._company(dice)
            number = self._phone(dice, _LANDLINE[company.country])
            colleagues: list[Human] = []
            for place in range(size):
                kin = colleagues[0] if place == 2 else None
                given, locale = (
                    (colleagues[1].clean.given, colleagues[1].language) if place == 3 else ("", "")
                )
                human = self._human(
                    dice, kin=kin, given=given, locale=locale, company=company, domain=company.domain
                )
                colleagues.append(human)
                written = number.typed if dice.random() < 0.6 else number.formatted(dice)
                if place % 5 == 1:
                    written = f"{number.typed} ext. {10 + place}"
                emails = human.clean.emails if place % 4 else ()
                card = replace(human.clean, emails=emails, phones=(), landlines=(written,))
                self._add(dice, human, "lookalike_switchboard", card)
                if place % 4 == 2:
                    self._add(dice, human, "clean", replace(human.clean, company=""))

    def _lookalike_shared_mailbox(self, dice: random.Random, count: int) -> None:
        """Four colleagues with one mailbox, two of them with one given name, and at times the mailbox itself."""
        for number, size in enumerate(_sizes(count, (4, 5))):
            company = self._company(dice)
            mailbox = _MAILBOXES[number % len(_MAILBOXES)]
            email = f"{mailbox}@{company.domain}"
            given = locale = ""
            for place in range(min(size, 4)):
                human = self._human(dice, given=given, locale=locale, company=company, domain=company.domain)
                given, locale = (human.clean.given, human.language) if place == 0 else ("", "")
                tagged = f"{mailbox}+{_slug(human.clean.given, human.language)}@{company.domain}"
                own = human.clean.emails if place == 2 else ()
                shared = tagged if number % 3 == 2 and place > 1 else email
                card = replace(_bare(dice, human.clean), emails=(*own, shared))
                self._add(dice, human, "lookalike_shared_mailbox", card)
            if size == 5:
                self._add(dice, None, "lookalike_shared_mailbox", Card(emails=(email,), company=company.name))

    def _lookalike_couple_email(self, dice: random.Random, count: int) -> None:
        """Two with one family name and one e-mail that has it, at times with the given name of one of them."""
        for number in range(-(-count // 2)):
            one = self._human(dice)
            other = self._human(dice, kin=one)
            style = ("familie.{last}", "{last}", "{first}.{last}", "the.{last}s")[number % 4]
            domain = dice.choice(_PRIVATE)
            email = self._email(dice, one.language, one.clean.given, one.clean.family, domain, (style,))
            home = self._phone(dice, _LANDLINE["Germany"]).typed
            for human in (one, other):
                card = replace(_bare(dice, human.clean), emails=(email,), company="", title="")
                shared = number % 2
                card = (
                    replace(card, landlines=(home,)) if shared else replace(card, phones=human.clean.phones)
                )
                self._add(dice, human, "lookalike_couple_email", card)

    def _lookalike_namesake(self, dice: random.Random, count: int) -> None:
        """One full name in two countries and two companies."""
        for _ in range(-(-count // 2)):
            one = self._human(dice, country="Germany")
            company = self._company(dice)
            email = self._email(dice, one.language, one.clean.given, one.clean.family, company.domain, _FULL)
            country = dice.choice(("Austria", "Portugal", "United Kingdom", "United States"))
            other = self._namesake(dice, one, company=company, email=email, country=country)
            for human in (one, other):
                self._add(dice, human, "lookalike_namesake", human.clean)

    def _lookalike_namesake_colleague(self, dice: random.Random, count: int) -> None:
        """One full name in one company, each with a mailbox, a telephone and a job of their own."""
        for _ in range(-(-count // 2)):
            company = self._company(dice)
            one = self._human(dice, company=company, domain=company.domain, styles=("{first}.{last}",))
            local = one.clean.emails[0].partition("@")[0]
            email = f"{local}{dice.choice(('2', '.2', '1'))}@{company.domain}"
            other = self._namesake(dice, one, company=company, email=email, country="Germany")
            for human in (one, other):
                self._add(dice, human, "lookalike_namesake_colleague", human.clean)

    def _lookalike_successor_email(self, dice: random.Random, count: int) -> None:
        """The mailbox of a job that one had and another has."""
        for number in range(-(-count // 2)):
            company = self._company(dice)
            email = f"{_ROLES[number % len(_ROLES)]}@{company.domain}"
            title = dice.choice(_TITLES)
            for source in dice.sample(("hubspot", "google"), 2):
                human = self._human(dice, company=company)
                card = replace(human.clean, emails=(email,), title=title)
                self._add(dice, human, "lookalike_successor_email", card, source)

    def _lookalike_assistant_email(self, dice: random.Random, count: int) -> None:
        """A boss whose second e-mail is the assistant's; every other boss has a clean record, too."""
        for number in range(-(-count // 2)):
            company = self._company(dice)
            boss = self._human(dice, company=company, domain=company.domain)
            assistant = self._human(dice, company=company, domain=company.domain)
            if number % 2:
                self._add(dice, boss, "clean", boss.clean)
            office = (boss.office.typed,) if number % 4 > 1 else ()
            emails = boss.clean.emails + assistant.clean.emails
            both = replace(boss.clean, emails=emails, phones=(), landlines=office)
            self._add(dice, boss, "lookalike_assistant_email", both)
            own = replace(assistant.clean, landlines=office, title="Assistant")
            self._add(dice, assistant, "lookalike_assistant_email", own)

    def _lookalike_similar_email(self, dice: random.Random, count: int) -> None:
        """Colleagues with one family name and one initial, whose e-mails differ in a dot."""
        for _ in range(-(-count // 2)):
            company = self._company(dice)
            alike: list[str] = []
            while not alike:
                one = self._human(dice, company=company)
                given, family = one.clean.given, one.clean.family
                names = _LANGUAGES[one.language].given
                alike = [name for name in names if name[0] == given[0] and self._is_free(name, family)]
            other = self._human(dice, kin=one, given=dice.choice(alike), company=company)
            last = _slug(one.clean.family, one.language)
            for human, dot in ((one, "."), (other, "")):
                local = f"{_slug(human.clean.given, human.language)[0]}{dot}{last}"
                card = replace(human.clean, emails=(f"{local}@{company.domain}",))
                self._add(dice, human, "lookalike_similar_email", card)

    def _lookalike_reused_phone(self, dice: random.Random, count: int) -> None:
        """A mobile number that its first owner gave up and another has now."""
        for _ in range(-(-count // 2)):
            one = self._human(dice, country="Germany")
            other = self._human(dice)
            while other.clean.given == one.clean.given:
                other = self._human(dice)
            again = one.mobile.national(dice) if dice.random() < 0.4 else one.mobile.typed
            self._add(dice, one, "lookalike_reused_phone", one.clean)
            self._add(
                dice, other, "lookalike_reused_phone", replace(other.clean, phones=(again,), country="")
            )
            if dice.random() < 0.4:
                self._add(dice, one, "clean", replace(one.clean, phones=()))

    def _lookalike_unnamed_two_emails(self, dice: random.Random, count: int) -> None:
        """A record with the e-mails of two humans and no name; every third two are colleagues."""
        for number in range(-(-count // 3)):
            company = self._company(dice) if number % 3 == 0 else None
            both = [self._human(dice, company=company) for _ in range(2)]
            for human in both:
                self._add(dice, human, "clean", human.clean)
            emails = tuple(human.clean.emails[0] for human in both)
            self._add(dice, None, "lookalike_unnamed_two_emails", Card(emails=emails))

    def _lookalike_list(self, dice: random.Random, count: int) -> None:
        """Mailing lists that were imported as people, with the addresses of three others among theirs."""
        members = [self._human(dice) for _ in range(max(3, count // 2))]
        for human in members:
            self._add(dice, human, "clean", human.clean)
        for number in range(-(-count // 2)):
            emails = [f"reader{place}@list{number}.example.org" for place in range(_LIST - 3)]
            emails += [human.clean.emails[0] for human in dice.sample(members, 3)]
            dice.shuffle(emails)
            who = (Card(given="Newsletter"), Card(), Card(given="Verteiler", family=f"Chor {number}"))[
                number % 3
            ]
            if number % 5 == 4:
                owner = self._human(dice)
                who = Card(given=owner.clean.given, family=owner.clean.family)
                self._add(dice, owner, "lookalike_list", replace(who, emails=tuple(emails)))
            else:
                self._add(dice, None, "lookalike_list", replace(who, emails=tuple(emails)))

    def _lookalike_placeholder(self, dice: random.Random, count: int) -> None:
        """What people type where a form insists."""
        for number in range(count):
            human = self._human(dice)
            email = dice.choice(("noemail@example.com", "none@example.com", "test@example.com"))
            phone = dice.choice(("0000000", "123456789", "+49 000 0000000", "0"))
            emails = human.clean.emails if number % 3 == 1 else (email,)
            phones = human.clean.phones if number % 3 == 0 else (phone,)
            card = replace(_bare(dice, human.clean), emails=emails, phones=phones)
            self._add(dice, human, "lookalike_placeholder", card)

    def _lookalike_nothing(self, dice: random.Random, count: int) -> None:
        """Neither a name nor an address; who could tell?"""
        company = dice.choice(self._companies).name
        for number in range(count):
            ways = (
                Card(),
                Card(company=company),
                Card(company=company, title="Developer"),
                Card(born=date(1970, 1, 1)),
                Card(title="Teacher", country="Germany"),
            )
            self._add(dice, None, "lookalike_nothing", ways[number % len(ways)])


def _sizes(count: int, pattern: tuple[int, ...]) -> Iterator[int]:
    """The sizes of groups that make so many together."""
    for size in cycle(pattern):
        if count <= 0:
            return
        yield max(2, min(size, count))
        count -= size


def _bare(dice: random.Random, card: Card) -> Card:
    """The name, and by chance what else identifies nobody."""
    return replace(
        card,
        emails=(),
        phones=(),
        landlines=(),
        company=card.company if dice.random() < 0.5 else "",
        title=card.title if dice.random() < 0.5 else "",
        country="",
        born=card.born if dice.random() < 0.5 else None,
        yearless=dice.random() < 0.3,
    )


def _birthday(dice: random.Random) -> date:
    return date(dice.randrange(1950, 2003), dice.randrange(1, 13), dice.randrange(1, 29))


def _hubspot(dice: random.Random, card: Card) -> Json:
    """HubSpot has no fields for titles, middle names and suffixes."""
    mobile, landline = "".join(card.phones[:1]), "".join(card.landlines[:1])
    if not landline and dice.random() < 0.5:
        mobile, landline = "", mobile
    found = {
        "firstname": " ".join(filter(None, (card.prefix, card.given, card.middle))),
        "lastname": _suffixed(dice, card),
        "email": card.emails[0] if card.emails else "",
        "hs_additional_emails": ";".join(card.emails[1:]),
        "phone": landline,
        "mobilephone": mobile,
        "company": card.company,
        "jobtitle": card.title,
        "country": card.country,
        "date_of_birth": card.born.isoformat() if card.born else "",
    }
    return {name: value for name, value in found.items() if value}


def _google(dice: random.Random, card: Card) -> Json:
    """Google has a field for each part of a name, of which people use two."""
    whole = " ".join(filter(None, (card.prefix, card.given, card.middle, card.family, card.suffix)))
    name = {
        "honorificPrefix": card.prefix,
        "givenName": card.given,
        "middleName": card.middle,
        "familyName": card.family,
        "honorificSuffix": card.suffix,
    }
    if dice.random() < 0.4:
        first = " ".join(filter(None, (card.prefix, card.given, card.middle)))
        name = {"givenName": first, "familyName": _suffixed(dice, card)}
    found: Json = {}
    if whole:
        found["names"] = [{part: value for part, value in name.items() if value} | {"displayName": whole}]
    if card.emails:
        found["emailAddresses"] = [
            {"value": each, "type": dice.choice(("home", "work"))} for each in card.emails
        ]
    if card.phones or card.landlines:
        mobiles = [{"value": each, "type": "mobile"} for each in card.phones]
        others = [{"value": each, "type": dice.choice(("home", "work", "main"))} for each in card.landlines]
        found["phoneNumbers"] = mobiles + others
    if card.company or card.title:
        job = {"name": card.company, "title": card.title}
        found["organizations"] = [{part: value for part, value in job.items() if value}]
    if card.born:
        year = {} if card.yearless else {"year": card.born.year}
        found["birthdays"] = [{"date": {**year, "month": card.born.month, "day": card.born.day}}]
    return found


def _suffixed(dice: random.Random, card: Card) -> str:
    return dice.choice((" ", ", ")).join(filter(None, (card.family, card.suffix)))


_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "ł": "l",
        "Ł": "L",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "æ": "ae",
    }
)
_SPELLED_OUT = str.maketrans(
    {
        "ä": "ae",
        "Ä": "Ae",
        "ö": "oe",
        "Ö": "Oe",
        "ü": "ue",
        "Ü": "Ue",
        "ø": "oe",
        "Ø": "Oe",
        "å": "aa",
        "Å": "Aa",
    }
)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _plain(text: str) -> str:
    """Without accents: é as e, ü as u."""
    return "".join(each for each in _decomposed(text.translate(_LETTERS)) if not unicodedata.combining(each))


def _spelled_out(text: str) -> str:
    """Without accents: é as e, ü as ue."""
    return _plain(text.translate(_SPELLED_OUT))


def _slug(text: str, language: str) -> str:
    """As in an e-mail."""
    plain = _spelled_out(text) if language == "de" else _plain(text)
    return re.sub(r"[^a-z0-9-]", "", plain.lower())


def _key(given: str, family: str) -> tuple[str, ...]:
    return tuple(sorted(_plain(part).lower() for part in (given, family)))


def _is_double(family: str) -> bool:
    """Whether it is two family names, of which people use one."""
    parts = re.split("[- ]", family)
    return len(parts) == 2 and all(each[0].isupper() and each not in _PARTICLES for each in parts)
