"""The services of what people do with photos: votes, comments, timelines and profiles."""

import os
from dataclasses import replace
from zoneinfo import ZoneInfoNotFoundError

from bookshelf.config import PhotoSettings, WrongSetting, load, read
from bookshelf.cqrs.service import Service
from bookshelf.photos import comment, vote
from bookshelf.photos.deletion import profile_deletion
from bookshelf.photos.profile import PROFILE, PROFILE_ROUTES
from bookshelf.photos.profiles_process import PROFILES, profiles_process
from bookshelf.photos.timelines.handlers import timelines_view
from bookshelf.photos.timelines.routes import timeline_routes


def _with_votes(service: Service) -> Service:
    settings = load(PhotoSettings, os.environ)
    routes = vote.vote_routes(
        own_too=settings.photos_self_vote == "yes", per_minute=settings.photos_votes_a_minute
    )
    return replace(service, load=None, serves=routes)


def _with_comments(service: Service) -> Service:
    settings = load(PhotoSettings, os.environ)
    routes = comment.comment_routes(settings.photos_comment_length, settings.photos_comments_a_minute)
    return replace(service, load=None, serves=routes)


def _with_timelines(service: Service) -> Service:
    from bookshelf.photos.handlers.lookup import lookup_route  # noqa: PLC0415 (see `Service.load`)

    zone = load(PhotoSettings, os.environ).photos_zone
    try:
        view = timelines_view(zone)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"photos_zone (or BOOKSHELF_PHOTOS_ZONE): {zone!r} is no time zone, like Europe/Berlin"
        raise WrongSetting(msg) from None
    serves = replace(service, serves=(*timeline_routes(view, zone), lookup_route(view)))
    return replace(serves, load=None, runs=(view, profile_deletion(view)))


def _with_profiles(service: Service) -> Service:
    registration = profiles_process(read(os.environ).accounts_local_reader)
    return replace(service, load=None, runs=(PROFILE, registration))


_TIMELINES = timelines_view("UTC")
PEOPLE_SERVICES = (
    Service(
        name="votes",
        summary="People vote for photos",
        tags=("photos", "votes"),
        port=8121,
        runs=(vote.VOTE,),
        serves=(),
        load=_with_votes,
        profile="photos",
    ),
    Service(
        name="comments",
        summary="People comment on photos",
        tags=("photos", "comments"),
        port=8122,
        runs=(comment.COMMENT,),
        serves=(),
        load=_with_comments,
        profile="photos",
    ),
    Service(
        name="timelines",
        summary="Lists of photos, one photo, and what a person has published",
        tags=("photos", "timelines"),
        port=8123,
        runs=(_TIMELINES, profile_deletion(_TIMELINES)),
        serves=(),
        load=_with_timelines,
        profile="photos",
    ),
    Service(
        name="profiles",
        summary="People register, edit and delete their profiles",
        tags=("photos", "profiles"),
        port=8124,
        runs=(PROFILE, PROFILES),
        serves=PROFILE_ROUTES,
        load=_with_profiles,
        profile="photos",
    ),
)
