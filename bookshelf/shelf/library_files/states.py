"""The words by which programs and people name the state of a book."""

import re
import unicodedata
from enum import Enum
from functools import cache

from bookshelf.shelf.library_files.format import names
from bookshelf.shelf.library_files.text import remembered


class FileState(Enum):
    """The state of a book as a word of a file means it. RE_READING: an open reading after a finished one."""

    FINISHED = "finished"
    READING = "reading"
    RE_READING = "re-reading"
    PAUSED = "paused"
    ABANDONED = "abandoned"
    WANTED = "wanted"
    UNREAD = "unread"


_FINISHED = """
    read, already read, finished, completed, complete, done, have read, i have read it, read it,
    finished reading
    gelesen, fertig, fertig gelesen, beendet, abgeschlossen, schon gelesen, ausgelesen
    lu, lue, lus, déjà lu, terminé, terminée, fini, finie, lecture terminée
    leído, leida, leído ya, ya leído, terminado, terminada, acabado
    letto, letta, letti, già letto, finito, terminato, completato
    lido, lida, já lido, já li, concluído, concluída, finalizado
    gelezen, uitgelezen, uit, afgerond, voltooid
    läst, läst klart, utläst, färdig, avslutad
    læst, færdig, færdiglæst, afsluttet
    lest, ferdig, ferdiglest, fullført, avsluttet
    luettu, valmis, luettu loppuun
    przeczytane, przeczytana, przeczytany, przeczytałem, przeczytałam, ukończone, skończone
    přečteno, přečtené, dočteno, dokončeno
    прочитано, прочитана, прочитанная, прочитал, прочитала, прочёл, прочтено, завершено
    прочитане, прочитав, завершене
    okundu, okudum, bitti, bitirdim, tamamlandı
    elolvasva, olvasott, kiolvasva, befejezett
    citit, citită, terminat
    已读, 读过, 已讀, 讀過, 看过, 看過, 读完, 讀完, 已完成
    読了, 読んだ, 既読, 読み終わった, 読んだ本
    읽음, 읽은 책, 다 읽음, 완독, 읽었음
    مقروء, قرأت, تمت القراءة
    קראתי, נקרא
"""
_READING = """
    currently reading, currentlyreading, reading, reading now, in progress, inprogress, started, begun,
    now reading
    am lesen, lese gerade, lese ich gerade, lese, aktuell, in arbeit, angefangen, wird gelesen,
    ich lese gerade
    en cours, en cours de lecture, je lis, lecture en cours, commencé, en lecture
    leyendo, leyendo ahora, leyendo actualmente, en curso, en progreso, empezado
    in lettura, sto leggendo, in corso, lettura in corso, iniziato
    lendo, estou lendo, a ler, lendo agora, em andamento, em leitura
    aan het lezen, bezig, nu aan het lezen, lezend, mee bezig
    läser, läser nu, pågående, pågår, påbörjad
    læser, læser nu, i gang, igangværende, påbegyndt
    leser, leser nå, pågående lesing, påbegynt
    luen, lukemassa, kesken, parhaillaan lukemassa, luen parhaillaan
    czytam, w trakcie, teraz czytam, aktualnie czytam, w trakcie czytania
    čtu, právě čtu, rozečteno, rozečtené, čtu právě
    читаю, сейчас читаю, в процессе, читаю сейчас, начал читать
    читаю зараз, у процесі
    okuyorum, şu an okuyorum, okunuyor, devam ediyor
    olvasom, most olvasom, olvasás alatt, folyamatban
    citesc, în curs, citesc acum
    在读, 在讀, 正在读, 正在阅读, 正在閱讀, 在看, 阅读中, 閱讀中
    読んでいる, 読書中, 今読んでいる, 読んでる, 読んでいる本, 読み中
    읽는 중, 읽는중, 읽고 있음, 읽고 있는 책, 읽고있음
    أقرأ حاليا, أقرأ الآن, قيد القراءة
    קורא עכשיו, בקריאה
"""
_RE_READING = """
    re reading, rereading, currently re reading, currently rereading, reading again, re read in progress
    lese erneut, lese noch einmal, relecture, en relecture, je relis, releyendo, rilettura, sto rileggendo
    relendo, aan het herlezen, läser om, genlæser, leser på nytt, luen uudelleen, czytam ponownie,
    перечитываю
    перечитую, tekrar okuyorum, újraolvasom, recitesc, 重读中, 再読中, 다시 읽는 중
"""
_PAUSED = """
    paused, pause, on hold, onhold, on pause, hold, set aside, taking a break, on a break, halted
    pausiert, unterbrochen, angehalten, zurückgestellt, auf eis
    en pause, suspendu, suspendue, mis de côté, interrompu
    en pausa, pausado, pausada, pausados, suspendido
    in pausa, sospeso, sospesa, interrotto
    pausa, em pausa, pausado por agora, interrompido
    gepauzeerd, in de wacht, even weggelegd
    pausad, pausat, pausade, på paus, på pause, sat på pause, satt på pause, tauolla, keskeytetty tauolle
    wstrzymane, wstrzymana, przerwane na chwilę, na później
    pozastaveno, odloženo
    отложено, отложена, на паузе, приостановлено, пауза
    відкладено, на паузі
    ara verildi, ara verdim, beklemede
    szüneteltetve, félretéve
    în pauză
    搁置, 擱置, 暂停, 暫停, 中断中, 保留, 一時停止, 休止中, 보류, 일시 중지, 잠시 멈춤, متوقف مؤقتا, בהשהיה
"""
_ABANDONED = """
    did not finish, didn t finish, didnt finish, dnf, dnfed, dnf d, not finished, unfinished, abandoned,
    stopped,
    stopped reading, gave up, gave up on, given up, quit, dropped, never finished, could not finish,
    couldn t finish
    abgebrochen, aufgegeben, nicht beendet, nicht fertig gelesen, nicht zu ende gelesen
    abandonné, abandonnée, abandon, pas fini, non terminé, arrêté
    abandonado, abandonada, abandonados, no terminado, dejado
    abbandonato, abbandonata, abbandonati, non finito, non terminato, lasciato
    abandonei, não terminado, largado, desisti, não concluído
    opgegeven, afgebroken, niet uitgelezen, gestopt
    avbruten, avbrutna, gav upp, uppgiven, läste inte klart
    opgivet, opgav, afbrudt, ikke færdig, droppet
    avbrutt, ga opp, oppgitt, ikke ferdig, ga meg
    keskeytetty, jätetty kesken, jäi kesken, luovutin
    porzucone, porzucona, nie skończone, nieukończone, przerwane, niedokończone
    nedočteno, nedočtené, vzdáno, odloženo navždy
    брошено, бросил, бросила, не дочитал, не дочитала, недочитано, заброшено, не закончено
    кинуто, не дочитав, недочитане
    yarım bırakıldı, yarım bıraktım, bırakıldı, bıraktım
    félbehagyott, félbehagyva, feladtam
    abandonat, abandonată
    弃读, 棄讀, 放弃, 放棄, 未读完, 弃, 読むのをやめた, 挫折, 中断, 읽다 맒, 중도 포기, 포기, 하차
    لم أكمل, متروك, נטשתי
"""
_WANTED = """
    to read, toread, want to read, wanttoread, wants to read, tbr, to be read, want, wanted, wishlist,
    wish list, wish,
    wishlisted, planned, plan to read, planning to read, next, up next, read next, to read next, later,
    read later,
    reading list, interested
    zu lesen, möchte ich lesen, will ich lesen, wunschliste, will lesen, möchte lesen, merkliste, geplant,
    sub
    à lire, a lire, pile à lire, pal, envie, envie de lire, souhaité, liste de souhaits, prévu
    por leer, para leer, quiero leer, pendiente, pendientes, lista de deseos, deseado, quiero leerlo
    da leggere, voglio leggere, lista dei desideri, desiderato, vorrei leggere
    para ler, quero ler, por ler, lista de desejos, desejado, vou ler
    te lezen, wil ik lezen, wil lezen, verlanglijst, nog te lezen
    vill läsa, att läsa, önskelista, ska läsa
    vil læse, skal læses, ønskeliste, vil gerne læse
    vil lese, skal leses, å lese
    haluan lukea, lukulista, aion lukea, toivelista
    do przeczytania, chcę przeczytać, lista życzeń, planuję przeczytać
    chci číst, chci přečíst, k přečtení, přečíst, seznam přání
    хочу прочитать, прочитать, буду читать, в планах, к прочтению, список желаний, хочу прочесть,
    запланировано
    хочу прочитати, до прочитання, у планах
    okunacak, okuyacağım, okumak istiyorum, okunacaklar, istek listesi
    olvasandó, el akarom olvasni, kívánságlista, várólista
    de citit, vreau să citesc, listă de dorințe
    想读, 想讀, 想看, 待读, 待讀, 愿望清单, 願望清單
    読みたい, 読みたい本, 積読, 積ん読, これから読む, ほしい物リスト
    읽고 싶음, 읽고 싶은 책, 읽을 책, 읽을 예정, 위시리스트
    أريد قراءته, للقراءة, قائمة الرغبات, רוצה לקרוא, לקריאה
"""
_UNREAD = """
    unread, not read, not started, not begun, notstarted, not yet read, no status, none, owned to read,
    not read yet,
    unstarted
    ungelesen, nicht gelesen, nicht begonnen, noch nicht gelesen, nicht angefangen
    non lu, non lue, pas lu, pas commencé, non commencé
    no leído, sin leer, no empezado, sin empezar
    non letto, non letta, non iniziato
    não lido, não lida, não iniciado
    ongelezen, niet gelezen, niet begonnen
    oläst, ej läst, inte läst, inte påbörjad
    ulæst, ikke læst, ikke begyndt
    ulest, ikke lest, ikke påbegynt
    lukematon, ei luettu, lukematta
    nieprzeczytane, nieprzeczytana, nie przeczytane, nierozpoczęte
    nepřečteno, nepřečtené, nečteno
    не прочитано, непрочитано, не читал, не читала, не начато
    непрочитане, не читав
    okunmadı, okumadım, okunmamış
    olvasatlan, nem olvasott
    necitit, necitită
    未读, 未讀, 没读, 未読, まだ読んでいない, 안 읽음, 읽지 않음, غير مقروء, לא נקרא
"""
_LISTED = {
    FileState.FINISHED: _FINISHED,
    FileState.READING: _READING,
    FileState.RE_READING: _RE_READING,
    FileState.PAUSED: _PAUSED,
    FileState.ABANDONED: _ABANDONED,
    FileState.WANTED: _WANTED,
    FileState.UNREAD: _UNREAD,
}
_SHELVES = frozenset(
    names("""read, to read, currently reading, did not finish, dnf, abandoned, unfinished, paused, on hold,
        re reading""")
)
"""The shelves of programs that only repeat the state; other words can be a tag of its own meaning."""

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|（[^（）]*）|【[^【】]*】")


@remembered
def fold_state(word: str) -> str:
    """Return a word without case, emoji, punctuation and repeated spaces; accents stay."""
    composed = unicodedata.normalize("NFKC", word).casefold()
    letters = (
        letter if unicodedata.category(letter)[0] in "LMN" and letter != "\ufe0f" else " "
        for letter in composed
    )
    return " ".join("".join(letters).split())


@cache
def _words() -> dict[str, FileState]:
    """Return the state of each word, also without its accents where no other word is the same then."""
    words = {
        fold_state(word): state
        for state, listed in _LISTED.items()
        for word in re.split(r"[,\n]", listed)
        if word.strip()
    }
    return {_without_accents(word): state for word, state in words.items()} | words


def _without_accents(word: str) -> str:
    split = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", "".join(mark for mark in split if not "\u0300" <= mark <= "\u036f"))


@remembered
def state_of(word: str) -> FileState | None:
    """Return the state that a word means; None if it is unknown. What is in brackets is a remark."""
    for text in (word, _BRACKETED.sub(" ", word)):
        if (state := _words().get(fold_state(text))) is not None:
            return state
    return None


def is_shelf(tag: str) -> bool:
    """Return True if the tag is one of the shelves that only repeat the state."""
    return fold_state(tag) in _SHELVES


_YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "t",
        "1",
        "x",
        "ja",
        "j",
        "oui",
        "si",
        "sí",
        "sim",
        "wahr",
        "vrai",
        "verdadero",
        "vero",
        "sant",
        "tak",
        "ano",
        "да",
        "так",
        "evet",
        "igen",
        "da",
        "kyllä",
        "是",
        "はい",
        "예",
        "نعم",
        "כן",
        "✓",
        "✔",
        "✔️",
        "☑",
        "☑️",
        "✅",
        "●",
        "⭐",
    ]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "f",
        "0",
        "nein",
        "non",
        "nee",
        "não",
        "falsch",
        "faux",
        "falso",
        "nej",
        "nie",
        "ne",
        "нет",
        "hayır",
        "nem",
        "nu",
        "ei",
        "否",
        "いいえ",
        "아니요",
        "✗",
        "✘",
        "☐",
        "❌",
        "-",
        "–",
        "—",
    ]
)


def is_yes(word: str) -> bool | None:
    """Return the meaning of a word in a yes-or-no column; None if it is neither."""
    text = word.strip().casefold()
    if text in _YES or state_of(text) is FileState.FINISHED:
        return True
    return False if text in _NO or state_of(text) is not None else None
