"""The settings of one's own profile, and its end."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.photos.pages.example_photos import example_cards, example_profile, long_card, long_profile
from bookshelf.photos.pages.lists import ROOT
from bookshelf.photos.pages.models import GalleryPhoto, GalleryProfile
from bookshelf.site.api_adapters import ApiProblem, FieldFault, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

SETTINGS, DELETE = f"{ROOT}/settings", f"{ROOT}/settings/delete"
NOTICES = {
    "profile-saved": _("Your profile is saved."),
    "profile-registered": _("You have a profile now."),
    "profile-deleted": _("Your profile is being deleted: what you have published is gone within a minute."),
}
_UNKNOWN, _GONE = 404, 410
#: How many of one's own photos are offered as a picture of the profile.
_CHOICES = 12


class ProfileSettingsForm(Form):
    """What others read about a person, and the photo that stands for the person; a name to register.

    `begins` is set in the form of a person without a profile. A form without the field `avatar` keeps it.
    """

    about: Annotated[str, Meta(max_length=2000)] = ""
    avatar: Annotated[str, Meta(max_length=100)] = ""
    name: Annotated[str, Meta(max_length=200)] = ""
    begins: bool = False


class DeleteProfileForm(Form):
    """The answer to the question has no fields."""


class ProfileSettingsModel(Model):
    """The profile, None for a person without one; `gone`: it was deleted. `choices`: own photos."""

    profile: GalleryProfile | None
    gone: bool
    choices: tuple[GalleryPhoto, ...]


class DeleteProfileModel(Model):
    """The profile that is deleted."""

    profile: GalleryProfile


async def show_settings(request: PageRequest) -> Page:
    """Show the settings of the profile."""
    try:
        profile: GalleryProfile = (await request.api.get("/me", kind=GalleryProfile)).body
    except ApiProblem as problem:
        if problem.answer.status not in {_UNKNOWN, _GONE}:
            raise
        return _page(None, gone=problem.answer.status == _GONE)
    found = await request.api.try_get(target("/me/photos", rows=_CHOICES), kind=list[GalleryPhoto])
    return _page(profile, () if found is None else found.body)


def _page(
    profile: GalleryProfile | None, choices: Sequence[GalleryPhoto] = (), *, gone: bool = False
) -> Page:
    model = ProfileSettingsModel(profile=profile, gone=gone, choices=tuple(choices))
    if profile is None:
        return Page("gallery_settings.html", model)
    form = ProfileSettingsForm(about=profile.about, avatar=profile.avatar)
    return Page("gallery_settings.html", model, form=form)


async def save_settings(request: PageRequest, form: ProfileSettingsForm) -> Redirect:
    """Save the profile, or register one. Raises `ApiProblem`, `FormRefused`."""
    if not form.begins:
        sent = request.submission
        chosen = {"avatar": form.avatar} if sent is not None and "avatar" in sent.values else {}
        await request.api.patch("/me", {"about": form.about, **chosen})
        return Redirect(SETTINGS, notice="profile-saved")
    if not form.name:
        raise FormRefused(FieldFault("name", request.translate(_("Write a name."))))
    await request.api.post("/profiles", {"name": form.name, "about": form.about})
    return Redirect(SETTINGS, notice="profile-registered")


async def show_delete(request: PageRequest) -> Page:
    """Show what is deleted with the profile."""
    return _delete_page((await request.api.get("/me", kind=GalleryProfile)).body)


def _delete_page(profile: GalleryProfile) -> Page:
    return Page("delete_profile.html", DeleteProfileModel(profile=profile))


async def delete(request: PageRequest, _form: DeleteProfileForm) -> Redirect:
    """Delete the profile. Raises `ApiProblem`."""
    await request.api.delete("/me")
    return Redirect(ROOT, notice="profile-deleted")


def _examples() -> Mapping[str, Page]:
    photos = [card.photo for card in example_cards()]
    return {
        "usual": _page(example_profile(), photos),
        "empty": _page(msgspec.structs.replace(example_profile(), about="", avatar="")),
        "long": _page(long_profile(), [long_card().photo, *photos]),
        "older picture": _page(msgspec.structs.replace(example_profile(), avatar="older"), photos),
        "none": _page(None),
        "gone": _page(None, gone=True),
    }


def _delete_examples() -> Mapping[str, Page]:
    return {"usual": _delete_page(example_profile()), "long": _delete_page(long_profile())}


PAGES = (
    PageRoute(
        SETTINGS,
        get=show_settings,
        post=save_settings,
        form=ProfileSettingsForm,
        title=_("Your profile"),
        section=SETTINGS,
        examples=_examples,
    ),
    PageRoute(
        DELETE,
        get=show_delete,
        post=delete,
        form=DeleteProfileForm,
        title=_("Delete your profile?"),
        examples=_delete_examples,
    ),
)
