"""The columns of any table, in eight languages, and of the project's own files."""

import re
from collections.abc import Iterable
from dataclasses import replace

from bookshelf.shelf.library_files.format import Cell, Fields, Format, folded, names

_TAG_SEPARATORS = (re.compile(r"[|;]"), re.compile("[,、，]"))


def split_any_tags(cell: str) -> list[str]:
    """Split at | or ; where there is one, else at commas."""
    strong, weak = _TAG_SEPARATORS
    return strong.split(cell) if strong.search(cell) else weak.split(cell)


_NAME_SEPARATORS = re.compile(r"\s*(?:[|;]|\s&\s)\s*")


def split_any_names(cell: str) -> list[str]:
    """Split at |, ; or &: a comma can stand inside a name."""
    return _NAME_SEPARATORS.split(cell)


_SERIES_IN_TITLE = re.compile(r"\s*\(([^()]*#\s*\d[^()]*)\)\s*$")


def series_from_title(fields: Fields) -> None:
    """Make "Title (Series, #2)" a title and a series."""
    title, *others = fields.get("title", [Cell("", "")])
    if (found := _SERIES_IN_TITLE.search(title.text)) and found.start():
        fields["title"] = [Cell(title.column, title.text[: found.start()]), *others]
        fields["series"] = [Cell(title.column, part) for part in found[1].split(";")]


_PLURALS = frozenset(
    names("""authors, authors names, author names, writers, creators, autoren, autor innen, auteurs, auteur s,
        autori, autores, autor es, author s, schrijvers, авторы, автор ы""")
)
_INITIAL = re.compile(r"\b\w\.?$")


def _any(fields: Fields) -> None:
    """Adapt a title with a series, and whole names that commas separate: "Le Guin, Ursula K." is one name."""
    if "series" not in fields:
        series_from_title(fields)
    for place, cell in enumerate(fields.get("author", ())):
        parts = cell.text.split(",")
        whole = all(len(part.split()) > 1 for part in parts) and not _INITIAL.search(cell.text.strip())
        if whole and folded(cell.column) in _PLURALS and not _NAME_SEPARATORS.search(cell.text):
            fields["author"][place] = Cell(cell.column, ";".join(parts))


_IDS = {
    "id:goodreads": "goodreads id, goodreads book id, goodreads, goodreads key",
    "id:storygraph": "storygraph id, storygraph",
    "id:hardcover": "hardcover id, hardcover book id, hardcover",
    "id:librarything": "librarything id, librarything, librarything key",
    "id:openlibrary": "openlibrary id, open library id, olid, openlibrary key, open library, openlibrary",
    "id:asin": "asin, amazon id, amazon asin",
}
_ANY = {
    "title": """title, book title, booktitle, title of book, name, book name, book, titel, buchtitel,
        titre, título, titulo, título del libro, titolo, título do livro, boektitel, название, книга,
        заглавие, наименование, название книги, 书名, 標題, 标题, タイトル, 書名, 제목, tytuł, název,
        başlık,
        original title""",
    "subtitle": """subtitle, sub title, untertitel, sous titre, subtítulo, sottotitolo,
        ondertitel, подзаголовок""",
    "sort title": "sort title, title sort, sorting title",
    "author": """author, authors, author s, author name, author names, authorname, authors names,
        book author, primary author, author text, written by, writer, writers, creator, creators, by,
        autor, autoren, autor in, autor innen, autorin, verfasser, verfasserin, auteur, auteurs, autore,
        autori, autores, autora, autor es, auteur s, schrijver, schrijvers, автор, авторы, автор ы,
        писатель, 作者, 著者, 作家, 저자, autorka, yazar""",
    "author sort": "author l f, author sort, author last first",
    "editor": "editor, editors, herausgeber, éditeur scientifique, redacteur, curatore, редактор",
    "translator": """translator, translators, übersetzer, übersetzerin, traducteur, traductrice, traductor,
        traductora, traduttore, tradutor, vertaler, переводчик""",
    "illustrator": "illustrator, illustrators, illustrateur, ilustrador, illustratore, иллюстратор",
    "narrator": """narrator, narrators, narrated by, sprecher, narrateur, narrador,
        narratore, verteller, чтец""",
    "published": """original publication year, published, publication year, publish year,
        first publish year, first published, year published, year of publication, pub year, year,
        publication date, publish date, published date, date published, pubdate, release year, release date,
        erscheinungsjahr, jahr, erschienen, année, annee, année de publication, date de publication, año,
        ano,
        año de publicación, ano de publicação, anno, anno di pubblicazione, jaar, verschenen, год,
        год издания,
        出版年, 出版日期, 発行年, 출판년도, rok, rok wydania, yıl""",
    "publisher": """publisher, publishers, publishing house, verlag, éditeur, editeur, maison d édition,
        editorial, editore, casa editrice, editora, uitgever, uitgeverij, издательство, 出版社, 출판사""",
    "isbn": "isbn13, isbn 13, ean isbn13, ean, isbn, isbn10, isbn 10, upc isbn10, isbn uid, isbns",
    "pages": """pages, number of pages, num pages, page count, pagecount, no of pages, length of,
        seiten, seitenzahl, anzahl seiten, nombre de pages, páginas, paginas, número de páginas, pagine,
        numero di pagine, aantal pagina s, pagina s, страниц, страницы,
        количество страниц, 页数, ページ数, 쪽수""",
    "minutes": "minutes, duration in minutes, length in minutes, audio minutes, minuten, minutos, minuti",
    "seconds": "duration in seconds, audio seconds",
    "format": """format, binding, book format, einband, bindung, format du livre,
        formato, rilegatura, формат""",
    "language": """language, language code, languages, lang, sprache, langue, idioma, lingua, língua, taal,
        язык, 语言, 言語, 언어""",
    "series": "series, series name, reihe, serie, série, saga, reeks, серия, цикл",
    "series number": """series number, number in series, series position, series index, volume, band, tome,
        tomo, volumen, deel, номер в серии, том""",
    "tags": """tags, tag, bookshelves, shelves, collections, collection, genres, genre, categories,
        category, subjects, keywords, labels,
        schlagwörter, schlagworte, kategorie, kategorien, étiquettes, mots clés, catégorie, catégories,
        etiquetas, género, géneros, categoría, categorías, generi, genere, etichette, gêneros, gênero,
        étagères, estanterías, scaffali, estantes, полки,
        trefwoorden, categorieën, теги, жанр, жанры, метки, 标签, タグ, 태그""",
    "lists": """lists, list, listen, regale, listes,
        listas, liste, lijsten, списки""",
    "notes": """my notes, private notes, notes, note, comments, comment, private comment, personal notes,
        notizen, notiz, anmerkungen, bemerkungen, remarques, commentaire, commentaires, notas, comentarios,
        commenti, anotações, notities, opmerkingen, заметки, примечания, комментарий, 笔记, メモ, 메모""",
    "description": """description, summary, synopsis, blurb, about, beschreibung, inhalt, résumé, resumen,
        descripción, descrizione, descrição, sinopse, sinopsis, beschrijving, описание, аннотация""",
    "state": """state, read status, reading status, my status, status, exclusive shelf, shelf, bookshelf,
        lesestatus, statut, estado, stato, leesstatus, статус, состояние, 状态, 状態, 상태""",
    "read": """read, finished, is read, have read, read it, completed, done, gelesen, lu, leído, letto,
        lido,
        gelezen, прочитано""",
    "started": """date started, started, start date, started on, started at, begun, began, date begun,
        date start, reading started, angefangen am, begonnen am, begonnen, lesebeginn, commencé le,
        date de début, fecha de inicio, empezado el, iniziato il, data inizio, data de início, gestart op,
        begonnen op, дата начала, начато""",
    "finished": """date read, read date, dateread, date finished, finished date, finish date, finished on,
        finished at, date completed, completed date, completion date, completed on, last date read,
        dates read, read dates, end date, ended, read on, read at, when read, finished reading,
        lesedatum, gelesen am, beendet am, gelesen bis, leseende, lu le, date de lecture, date de fin,
        terminé le, fecha de lectura, leído el, fecha de fin, terminado el, letto il, data lettura,
        data di lettura, finito il, data de leitura, lido em, data de término, gelezen op, uitgelezen op,
        дата прочтения, прочитано когда, дата окончания, 阅读日期, 读完日期, 読了日, 읽은 날짜""",
    "stopped": """stopped date, date stopped, abandoned on, date abandoned, dnf date,
        dropped dates, abgebrochen am""",
    "count": """read count, times read, number of reads, reads, anzahl gelesen,
        nombre de lectures, veces leído""",
    "rating": """my rating, my ratings, own rating, your rating, personal rating, star rating, stars,
        rating,
        user rating, bewertung, meine bewertung, wertung, sterne, évaluation, ma note, note sur 5,
        note sur 10,
        notation, puntuación, calificación, mi puntuación, valoración, valutazione, voto, il mio voto,
        avaliação, minha avaliação, nota, beoordeling, waardering, mijn beoordeling, оценка, моя оценка,
        рейтинг, 评分, 評分, 我的评分, 評価, 평점, 별점, ocena, hodnocení, puan""",
    "review": """my review, review, review content, review text, rezension, meine rezension, kritik,
        critique,
        mon avis, avis, reseña, mi reseña, opinión, recensione, la mia recensione, resenha, minha resenha,
        recensie, mijn recensie, отзыв, рецензия, мой отзыв, 书评, 评论, 感想, レビュー, 리뷰""",
    "review title": "review title, review name, review headline",
    "spoiler": "spoiler, spoilers, review contains spoilers, contains spoilers",
    "added": """added, date added, added on, added at, date created, created at, created, entry date,
        hinzugefügt, hinzugefügt am, ajouté le, date d ajout, fecha de adición, añadido, aggiunto il,
        data aggiunta, adicionado em, data de adição, toegevoegd op, toegevoegd, дата добавления,
        добавлено""",
    "copies": """copies, owned copies, number of copies, exemplare, exemplaires,
        ejemplares, copie, exemplaren""",
    "owned": """owned, own, owned?, i own it, im besitz, possédé, possession,
        en posesión, posseduto, in bezit""",
    "location": "location, where, place, standort, emplacement, ubicación, posizione, localização, locatie",
    "lent to": "lent to, loaned to, borrower, verliehen an, prêté à, prestado a, prestato a, emprestado a",
    "lent on": "lent on, lent date, loan date, loaned on, verliehen am, prêté le",
}

IGNORED_AVERAGES = frozenset(
    names("""average rating, avg rating, averagerating, ratings average, mean rating, community rating,
        ratings count, rating count, num ratings, number of ratings, text reviews count, reviews count,
        durchschnittsbewertung, note moyenne, puntuación media, valutazione media, avaliação média,
        gemiddelde beoordeling, средняя оценка, edition count, want to read count, already read count""")
)

ANY_CSV = Format(
    name="CSV",
    marks=frozenset(),
    columns={field: names(listed) for field, listed in (_ANY | _IDS).items()},
    ignored=IGNORED_AVERAGES,
    split_tags=split_any_tags,
    split_names=split_any_names,
    adapt=_any,
    guess=True,
)

ANY_FRENCH = replace(
    ANY_CSV,
    marks=frozenset({"titre", "note"}),
    columns={
        **ANY_CSV.columns,
        "notes": tuple(name for name in ANY_CSV.columns["notes"] if name != "note"),
        "rating": (*ANY_CSV.columns["rating"], "note"),
    },
)
"""A table with French columns: `note` is a rating there."""

ISBN_LIST = Format(name="list of ISBNs", marks=frozenset(), columns={"title": (), "isbn": ("isbn",)})

COLUMNS = (
    "title",
    "author",
    "published",
    "isbn",
    "pages",
    "language",
    "tags",
    "notes",
    "state",
    "finished",
    "rating",
    "review",
    "added",
    "id",
)

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_TAG = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,;]*?))\s*(?:[,;]|$)')
_PLAIN = re.compile(r'[^\s,;"](?:[^,;"]*[^\s,;"])?')


def guarded(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it."""
    return "'" + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def join_tags(tags: Iterable[str]) -> str:
    """Return one cell; a tag with a separator, a quote or spaces around it is quoted."""
    return ", ".join(tag if _PLAIN.fullmatch(tag) else _quoted(tag) for tag in tags)


def split_tags(cell: str) -> list[str]:
    """Return the tags that `join_tags` put into the cell, or a person after it."""
    found = (
        quoted.replace('""', '"') if quoted is not None else plain
        for quoted, plain in (match.groups() for match in _TAG.finditer(cell))
    )
    return [tag for tag in found if tag]


def _quoted(tag: str) -> str:
    doubled = tag.replace('"', '""')
    return f'"{doubled}"'


def _unguard(fields: Fields) -> None:
    for name, cells in fields.items():
        fields[name] = [Cell(cell.column, unguarded(cell.text)) for cell in cells]


OWN = Format(
    name="Bookshelf",
    marks=frozenset({"title", "author", "state", "added"}),
    columns={
        "title": ("title",),
        "author": ("author",),
        "published": ("published",),
        "isbn": ("isbn",),
        "pages": ("pages",),
        "language": ("language",),
        "tags": ("tags",),
        "notes": ("notes",),
        "state": ("state",),
        "finished": ("finished",),
        "rating": ("rating",),
        "review": ("review",),
        "added": ("added",),
        "id": ("id",),
    },
    split_tags=split_tags,
    adapt=_unguard,
    exact=True,
)
